/** What a body means to the program. */

export interface Codec<In, Out = In> {
  /** Flags that go with the message when the put gives none. */
  readonly flags: number;
  encode(value: In): string | Uint8Array;
  /** What it throws is told as `BAD_BODY`. */
  decode(body: Buffer, flags: number): Out;
}

/** Bodies as they are. Strings are put as UTF-8. */
export const bytes: Codec<string | Uint8Array, Buffer> = {
  flags: 0,
  encode: (value) => value,
  decode: (body) => body,
};

export const text: Codec<string> = {
  flags: 0,
  encode: (value) => value,
  decode: (body) => body.toString('utf8'),
};

/** With the flags 2, by which the npm package `memcached` knows JSON. The type is the program's word: nothing checks it. */
export function json<T = unknown>(): Codec<T> {
  return {
    flags: 2,
    encode: (value) => {
      const encoded: string | undefined = JSON.stringify(value);
      if (encoded === undefined) throw new TypeError(`${typeof value} has no JSON`);
      return encoded;
    },
    decode: (body) => JSON.parse(body.toString('utf8')) as T,
  };
}
