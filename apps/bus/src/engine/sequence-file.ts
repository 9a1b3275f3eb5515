/** The ring's sequence on disk: one number in a file of its own, replaced whole. */
import { mkdir, open, readFile, rename } from 'node:fs/promises';
import { dirname } from 'node:path';

/** Ring sequences and views' names fit 31 bits until 2088 if the first begins here. */
const EPOCH_S = Date.UTC(2020, 0, 1) / 1000;

/**
 * The sequence that a daemon starts from: at least what was stored, at least the seconds since 2020. The latter
 * stands in for a lost file: no ring forms so often that its number overtakes the clock.
 */
export async function readSequence(path: string, nowMs: number): Promise<number> {
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return '0';
    throw error;
  });
  const stored = /^\d{1,15}$/.test(text.trim()) ? Number(text.trim()) : 0;
  return Math.max(stored, Math.floor(nowMs / 1000 - EPOCH_S), 0);
}

/** Resolves when it is on the device, under its name. */
export async function writeSequence(path: string, sequence: number): Promise<void> {
  const folder = dirname(path);
  await mkdir(folder, { recursive: true });
  const next = `${path}.next`;
  const file = await open(next, 'w');
  try {
    await file.writeFile(`${sequence}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(next, path);
  // The new name is in the folder only when the folder is on the device.
  const directory = await open(folder, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}
