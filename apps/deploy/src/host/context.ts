import type { PublicKey } from '../release/keys.ts';
import type { HostLayout } from './layout.ts';
import type { Hello, StepEvent } from './protocol.ts';
import type { HostSettings } from './settings.ts';

/** What a step works with. */
export interface StepContext {
  readonly hello: Pick<Hello, 'deployment' | 'owner' | 'host'>;
  readonly settings: HostSettings;
  readonly layout: HostLayout;
  readonly trust: readonly PublicKey[];
  /** Aborted when the step is cancelled. */
  readonly signal: AbortSignal;
  readonly emit: (event: StepEvent) => void;
  /** @throws HostError `lock-lost`: to be asked right before what can't be taken back */
  readonly checkLock: () => Promise<void>;
}
