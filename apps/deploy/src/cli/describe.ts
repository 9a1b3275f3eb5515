import { approximateBytes } from '@rookery/service';
import type { Release } from '../release/container.ts';
import { pieceCount } from '../release/pieces.ts';
import { payloadBytes } from '../release/torrent.ts';

/** The stable form for programs. */
export function releaseFields(release: Release, releaseBytes: number): Record<string, unknown> {
  const { manifest } = release;
  const counts = count(release);
  return {
    app: manifest.app,
    version: manifest.version,
    commit: manifest.commit ?? null,
    time: timeText(release) ?? null,
    release_id: release.id,
    info_hash: release.infoHash,
    signer: release.signer?.text ?? null,
    files: counts.files,
    links: counts.links,
    empty_folders: counts.folders,
    tree_bytes: counts.bytes,
    payload_bytes: payloadBytes(manifest),
    chunks: manifest.chunks.lengths.length,
    pieces: pieceCount(payloadBytes(manifest), manifest.pieceLength),
    piece_bytes: manifest.pieceLength,
    release_bytes: releaseBytes,
  };
}

export function describeRelease(release: Release, releaseBytes: number): string {
  const { manifest } = release;
  const counts = count(release);
  const payload = payloadBytes(manifest);
  const pieces = pieceCount(payload, manifest.pieceLength);
  const lines = [
    `${manifest.app} ${manifest.version}`,
    ...(manifest.commit === undefined ? [] : [`  commit      ${manifest.commit}`]),
    `  time        ${timeText(release) ?? 'not stated'}`,
    `  tree        ${counts.files} files, ${counts.links} links, ${counts.folders} empty folders, ${approximateBytes(counts.bytes)}`,
    `  payload     ${approximateBytes(payload)} in ${pieces} pieces of ${approximateBytes(manifest.pieceLength)}`,
    `  info hash   ${release.infoHash}`,
    `  release id  ${release.id} (${approximateBytes(releaseBytes)})`,
    `  signer      ${release.signer?.text ?? 'nobody: no host takes it; pack it with --key'}`,
  ];
  return `${lines.join('\n')}\n`;
}

function count({ manifest }: Release): { files: number; links: number; folders: number; bytes: number } {
  const counts = { files: 0, links: 0, folders: 0, bytes: 0 };
  for (const entry of manifest.entries) {
    if (entry.kind === 'link') counts.links++;
    else if (entry.kind === 'folder') counts.folders++;
    else {
      counts.files++;
      counts.bytes += entry.size;
    }
  }
  return counts;
}

function timeText({ manifest }: Release): string | undefined {
  const { timeSeconds } = manifest;
  // Years beyond Date's are allowed by the format, and no reason to fail at showing the rest.
  if (timeSeconds === undefined || timeSeconds > 8.64e12) return undefined;
  return new Date(timeSeconds * 1000).toISOString().replace('.000Z', 'Z');
}
