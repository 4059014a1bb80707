import type { DenyTier } from '../../../core/cluster/deny-tier.ts';
import type { WatchCache } from '../../../integrations/kubernetes/watch/watch-cache.ts';
import type { RememberedNotes } from '../../process/rules.ts';

export interface ClusterWatch {
  readonly view: WatchCache;
  readonly cellKey: Uint8Array;
  /** What the cluster can deny traffic with in addition to NetworkPolicies. */
  denyTier(): DenyTier | undefined;
  /** Sealed notes of quarantined pods as the cell last wrote them, from its own memory. */
  readonly notes?: RememberedNotes;
}
