import type { DenyTier } from '../../../core/cluster/deny-tier.ts';
import type { WatchCache } from '../../../integrations/kubernetes/watch/watch-cache.ts';
import type { RememberedNotes } from '../../process/rules.ts';

export interface ClusterWatch {
  readonly view: WatchCache;
  readonly cellKey: Uint8Array;
  /** What the cluster denies by beside NetworkPolicies. */
  denyTier(): DenyTier | undefined;
  /** The sealed note of a quarantined pod as the cell wrote it last, from its own memory. */
  readonly notes?: RememberedNotes;
}
