/**
 * The deployer as a library: what its command does, and what a transfer of releases is built on.
 *
 * @example
 * import { pack, parsePublicKey, parseSigningKey, verify } from '@rookery/deploy';
 *
 * const { bytes, release } = await pack({
 *   source: { folder: 'dist' },
 *   app: 'shop',
 *   version: '1.4.2',
 *   key: parseSigningKey(await readFile('release.key', 'utf8')),
 * });
 * const trust = [parsePublicKey(await readFile('release.key.pub', 'utf8'))];
 * const { differences } = await verify({ release: bytes, folder: '/srv/shop/current', trust });
 *
 * @module
 */

export { type Agent, type AgentOptions, createAgent } from './agent/agent.ts';
export type { AgentSettings } from './agent/settings.ts';
export { ReleaseError, type ReleaseErrorCode } from './errors.ts';
export type { Host } from './inventory/host.ts';
export { type InventorySource, loadInventory } from './inventory/load.ts';
export { selectHosts } from './inventory/select.ts';
export { type Packed, type PackOptions, pack } from './pack.ts';
export type { PushEvent, PushedHost } from './push/events.ts';
export { type Pushed, type PushOptions, push } from './push/push.ts';
export { inspectRelease, openRelease, type Release } from './release/container.ts';
export {
  generateKeys,
  type PublicKey,
  parsePublicKey,
  parseSigningKey,
  type SigningKey,
} from './release/keys.ts';
export { createLayout, type Layout, type Place, type Segment } from './release/layout.ts';
export { RELEASE_LIMITS, type ReleaseLimits } from './release/limits.ts';
export type { ChunkTable, Entry, FileEntry, FolderEntry, LinkEntry, Manifest } from './release/manifest.ts';
export { type BytePath, displayPath, pathFromBytes, pathFromText, pathToBytes } from './release/path.ts';
export {
  type Holding,
  type MissingRange,
  planReuse,
  type ReadStep,
  type ReusePlan,
} from './release/reuse.ts';
export { torrentFile } from './release/torrent.ts';
export {
  type Fetched,
  type FetchOptions,
  type FetchPhase,
  type FetchProgress,
  fetch,
} from './swarm/fetch.ts';
export { type Seeding, type SeedOptions, seed } from './swarm/seed.ts';
export {
  createTracker,
  type Tracker,
  type TrackerOptions,
  type TrackerPeer,
  type TrackerSwarm,
} from './swarm/tracker/tracker.ts';
export { assemble } from './tree/assemble.ts';
export { type CompareOptions, compareTree, type Difference } from './tree/compare.ts';
export { createPieceReader, type PieceReader } from './tree/piece-reader.ts';
export { scanFolder } from './tree/scan.ts';
export { openStaging, type Staging } from './tree/staging.ts';
export { type Verified, type VerifyOptions, verify } from './verify.ts';
