import type { RegisteredAction } from '../../../activities/chokepoint/parts.ts';
import type { DenyTier } from '../../../core/cluster/deny-tier.ts';
import type { WatchCache } from '../../../integrations/kubernetes/watch/watch-cache.ts';
import type { Config } from '../../config/load.ts';
import type { RememberedNotes } from '../../process/rules.ts';

/** One place where a typed implementation joins the list: the chokepoint checks the input by the schema before it is called. */
export function register<Input, Output>(action: RegisteredAction<Input, Output>): RegisteredAction {
  return action as unknown as RegisteredAction;
}

/** Without those that are off until the configuration names them. */
export function chosenActions(config: Config, all: readonly RegisteredAction[]): readonly RegisteredAction[] {
  return all.filter(({ declaration }) => declaration.optIn !== true || config.actions.optIn.includes(declaration.name));
}

export interface ClusterWatch {
  readonly view: WatchCache;
  readonly cellKey: Uint8Array;
  /** What the cluster denies by beside NetworkPolicies. */
  denyTier(): DenyTier | undefined;
  /** The sealed note of a quarantined pod as the cell wrote it last, from its own memory. */
  readonly notes?: RememberedNotes;
}
