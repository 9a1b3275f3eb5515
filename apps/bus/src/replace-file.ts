import { open, rename, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';

/** The file is the old one or the new one, whole, whatever dies meanwhile. Resolves when the new one is on the device. */
export async function replaceFile(path: string, text: string): Promise<void> {
  await writeFile(`${path}.new`, text, { flush: true });
  await rename(`${path}.new`, path);
  await syncFolder(dirname(path));
}

/** What was created, renamed or removed in it is on the device. */
export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path);
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
