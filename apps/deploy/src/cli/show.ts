import { inspectRelease, openRelease, type Release } from '../release/container.ts';
import { type BytePath, displayPath } from '../release/path.ts';
import { torrentFile } from '../release/torrent.ts';
import { describeRelease, releaseFields } from './describe.ts';
import { readPublicKeys, readReleaseFile, writeWhole } from './files.ts';
import { jsonPath, type Reporter } from './report.ts';

export interface ShowCommand {
  /** Where to write a .torrent. */
  readonly torrent?: string;
  readonly trust: readonly string[];
  readonly files: boolean;
}

/** @throws ReleaseError */
export async function show(path: string, command: ShowCommand, reporter: Reporter): Promise<void> {
  const bytes = await readReleaseFile(path);
  const keys = await readPublicKeys(command.trust);
  const release = keys.length > 0 ? openRelease(bytes, keys) : inspectRelease(bytes);
  if (command.torrent !== undefined) await writeWhole(command.torrent, torrentFile(release.info));
  reporter.event('release', {
    ...releaseFields(release, bytes.length),
    trusted: keys.length > 0 ? true : null,
    torrent_file: command.torrent ?? null,
  });
  reporter.say(describeRelease(release, bytes.length));
  if (keys.length === 0 && release.signer !== undefined) {
    reporter.say('  The signature is whole; whether to trust its key, --trust KEY.pub tells.\n');
  }
  if (command.files) list(release, reporter);
}

function list({ manifest }: Release, reporter: Reporter): void {
  for (const entry of manifest.entries) {
    const { kind, path } = entry;
    if (kind === 'file') {
      const sha256 = Buffer.from(entry.sha256).toString('hex');
      reporter.event('entry', {
        kind,
        ...jsonPath(path),
        bytes: entry.size,
        executable: entry.executable,
        sha256,
      });
      reporter.say(
        `${entry.executable ? '0755' : '0644'} ${sha256} ${String(entry.size).padStart(12)} ${displayPath(path)}\n`,
      );
    } else if (kind === 'link') {
      reporter.event('entry', { kind, ...jsonPath(path), target: jsonTarget(entry.target) });
      reporter.say(`link ${displayPath(path)} -> ${displayPath(entry.target)}\n`);
    } else {
      reporter.event('entry', { kind, ...jsonPath(path) });
      reporter.say(`empty folder ${displayPath(path)}\n`);
    }
  }
}

function jsonTarget(target: BytePath): unknown {
  const { path, path_base64 } = jsonPath(target);
  return path_base64 === undefined ? path : { path, path_base64 };
}
