/** Where the fields of the packets are, in bytes. */

export const HEADER_BYTES = 20;
export const VERSION_AT = 0;
export const TYPE_AT = 1;
export const FLAGS_AT = 2;
export const SENDER_AT = 4;
export const REPRESENTATIVE_AT = 8;

/** Flags of a data packet's header. */
export const FLAG_SAFE = 1;
export const FLAG_RECOVERED = 2;

export const DATA_SEQUENCE_AT = 20;
export const DATA_ROUND_AT = 24;
/** Bytes of a data packet before its chunks. */
export const DATA_HEADER_BYTES = 28;

/** Each chunk: u16 length, u8 flags, u8 service, then u32 length of the whole message if it only begins here. */
export const CHUNK_HEADER_BYTES = 4;
export const CHUNK_TOTAL_BYTES = 4;
export const CHUNK_FIRST = 1;
export const CHUNK_LAST = 2;

export const TOKEN_SEQUENCE_AT = 20;
export const TOKEN_HIGH_AT = 28;
export const TOKEN_ARU_AT = 32;
export const TOKEN_SETTER_AT = 36;
export const TOKEN_FLOW_AT = 40;
export const TOKEN_BACKLOG_AT = 44;
export const TOKEN_SENT_AT = 48;
export const TOKEN_RECEIVED_AT = 50;
export const TOKEN_COUNT_AT = 52;
export const TOKEN_BYTES = 54;

export const INCARNATION_AT = 20;
export const SERIAL_AT = 28;
export const JOIN_USED_AT = 32;
export const JOIN_PROCESSES_AT = 40;
export const JOIN_FAILED_AT = 42;
export const JOIN_BYTES = 44;

export const PRESENCE_COUNT_AT = 32;
export const PRESENCE_BYTES = 34;

export const COMMIT_HOP_AT = 20;
export const COMMIT_COUNT_AT = 24;
export const COMMIT_BYTES = 26;
export const OBLIGATION_BYTES = 16;
/** u32 id, u32 filled, u32 representative, u64 sequence, u32 aru, u32 high, u32 delivered, the bitmap. */
export const COMMIT_ENTRY_BYTES = 48;
