import { collectLogsImplementation } from '../../activities/actions/collect-logs.ts';
import { collectNodeInfoImplementation } from '../../activities/actions/collect-node-info.ts';
import { deleteWorkloadImplementation } from '../../activities/actions/delete-workload.ts';
import { drainNodeImplementation } from '../../activities/actions/drain-node.ts';
import { evictPodImplementation } from '../../activities/actions/evict-pod.ts';
import { hardenWorkloadImplementation } from '../../activities/actions/harden-workload.ts';
import { listReachableSecretsImplementation } from '../../activities/actions/list-reachable-secrets.ts';
import { restartWorkloadImplementation } from '../../activities/actions/restart-workload.ts';
import type { RegisteredAction } from '../../activities/chokepoint.ts';
import { collectLogsInput } from '../../core/actions/collect-logs.schema.ts';
import { collectNodeInfoInput } from '../../core/actions/collect-node-info.schema.ts';
import { deleteWorkloadInput } from '../../core/actions/delete-workload.schema.ts';
import { drainNodeInput } from '../../core/actions/drain-node.schema.ts';
import { evictPodInput } from '../../core/actions/evict-pod.schema.ts';
import { hardenWorkloadInput } from '../../core/actions/harden-workload.schema.ts';
import {
  collectLogs,
  collectNodeInfo,
  deleteWorkload,
  drainNode,
  evictPod,
  hardenWorkload,
  listReachableSecrets,
  restartWorkload,
} from '../../core/actions/index.ts';
import { listReachableSecretsInput } from '../../core/actions/list-reachable-secrets.schema.ts';
import { restartWorkloadInput } from '../../core/actions/restart-workload.schema.ts';
import type { KubernetesApi } from '../../integrations/kubernetes/client.ts';
import type { ClusterView } from '../../integrations/kubernetes/cluster-view.ts';
import { register } from './actions.ts';
import type { EvidencePart } from './evidence.ts';

/** What ends things, and what tells people before they decide on it, under the cell's account. */
export function eradicationActions(parts: {
  readonly api: KubernetesApi;
  readonly view: ClusterView;
  readonly evidence: EvidencePart;
  readonly isProtected: (namespace: string) => boolean;
  readonly appArmorOnEveryNode: boolean;
}): readonly RegisteredAction[] {
  const { api, view, evidence, isProtected, appArmorOnEveryNode } = parts;
  return [
    register({
      declaration: collectLogs,
      input: collectLogsInput,
      implementation: collectLogsImplementation({ api, ...evidence }),
    }),
    register({
      declaration: collectNodeInfo,
      input: collectNodeInfoInput,
      implementation: collectNodeInfoImplementation({ api, view, ...evidence }),
    }),
    register({
      declaration: listReachableSecrets,
      input: listReachableSecretsInput,
      implementation: listReachableSecretsImplementation({ api, view }),
    }),
    register({ declaration: evictPod, input: evictPodInput, implementation: evictPodImplementation({ api }) }),
    register({
      declaration: restartWorkload,
      input: restartWorkloadInput,
      implementation: restartWorkloadImplementation({ api }),
    }),
    register({
      declaration: hardenWorkload,
      input: hardenWorkloadInput,
      implementation: hardenWorkloadImplementation({ api, view, appArmorOnEveryNode }),
    }),
    register({ declaration: deleteWorkload, input: deleteWorkloadInput, implementation: deleteWorkloadImplementation({ api }) }),
    register({ declaration: drainNode, input: drainNodeInput, implementation: drainNodeImplementation({ api, isProtected }) }),
  ];
}
