/** Walks the frames of a segment file. Finds its way again after damage, one byte at a time. */
import type { DiskFile } from '../disk/disk.ts';
import { viewOf } from '../format/bytes.ts';
import { bodyIntact, FRAME_HEADER, frameLength } from '../format/frame.ts';
import { SEGMENT_HEADER } from '../format/header.ts';
import { FOOTER_BEGIN } from '../format/records.ts';

/** Read at a time; also what is looked at in one turn: a few milliseconds. */
const WINDOW = 1024 * 1024;

export interface Damage {
  readonly offset: number;
  readonly bytes: number;
}

export interface Scanned {
  /** Where the last whole frame ends. What follows is a footer or a torn tail. */
  readonly end: number;
  /** A footer was begun behind it. */
  readonly footerBegun: boolean;
  /** Places with something valid behind them. */
  readonly damaged: readonly Damage[];
}

/** Called for each intact frame with its body `[start, end)` of the buffer, which is used again afterwards. */
export type FrameVisitor = (bytes: Buffer, start: number, end: number, offset: number) => void;

/** Looks at `[header, size)` of the file. Between windows it waits for the disk, and so ends its turn. */
export async function scanFrames(
  file: DiskFile,
  size: number,
  salt: number,
  visit: FrameVisitor,
): Promise<Scanned> {
  const damaged: Damage[] = [];
  let offset = SEGMENT_HEADER;
  let end = offset;
  let window = Buffer.allocUnsafeSlow(Math.min(WINDOW, Math.max(0, size - offset)));
  let view = viewOf(window);
  let base = offset;
  let filled = 0;
  let lost = false;
  /** Reads from `offset` on. */
  const fill = async (wanted: number): Promise<void> => {
    if (window.length < wanted) {
      window = Buffer.allocUnsafeSlow(wanted);
      view = viewOf(window);
    }
    base = offset;
    filled = await file.read(window.subarray(0, wanted), base);
  };

  while (offset + FRAME_HEADER <= size) {
    let at = offset - base;
    if (at + FRAME_HEADER > filled) {
      await fill(Math.min(WINDOW, size - offset));
      at = 0;
      if (filled < FRAME_HEADER) break;
    }
    const length = frameLength(view, at, salt, offset);
    if (length > 0 && offset + FRAME_HEADER + length <= size) {
      const whole = FRAME_HEADER + length;
      if (at + whole > filled) {
        await fill(Math.min(Math.max(WINDOW, whole), size - offset));
        at = 0;
      }
      if (whole <= filled - at && bodyIntact(view, at, length)) {
        if (lost) damaged.push({ offset: end, bytes: offset - end });
        lost = false;
        offset += whole;
        end = offset;
        if (window[at + FRAME_HEADER] === FOOTER_BEGIN)
          return { end: offset - whole, footerBegun: true, damaged };
        visit(window, at + FRAME_HEADER, at + whole, offset - whole);
        continue;
      }
    }
    lost = true;
    offset++;
  }
  return { end, footerBegun: false, damaged };
}
