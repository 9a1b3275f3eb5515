import { ReleaseError } from '../errors.ts';
import type { ContentSink } from '../release/builder.ts';
import { type BytePath, displayPath } from '../release/path.ts';

const POINTER = Buffer.from('version https://git-lfs.github.com/spec/');
/** The specification's bound for a pointer. */
const POINTER_BYTES_MAX = 1024;

/** A pointer of Git LFS stands for bytes that git doesn't have; carried, it would run as a broken file. */
export function refusingPointers(sink: ContentSink): ContentSink {
  let path: BytePath;
  let head: Buffer = Buffer.alloc(0);
  let size = 0;
  return {
    begin(file) {
      path = file.path;
      head = Buffer.alloc(0);
      size = 0;
      sink.begin(file);
    },
    bytes(block) {
      if (head.length < POINTER.length)
        head = Buffer.concat([head, block.subarray(0, POINTER.length - head.length)]);
      size += block.length;
      sink.bytes(block);
    },
    end() {
      if (size < POINTER_BYTES_MAX && head.equals(POINTER)) {
        throw new ReleaseError(
          'kind-unsupported',
          `${displayPath(path)}: only a pointer of Git LFS is in git; check the commit out and pack the folder`,
        );
      }
      sink.end();
    },
  };
}
