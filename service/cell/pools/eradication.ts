import { collectLogsImplementation } from '../../../activities/actions/evidence/collect-logs.ts';
import { collectNodeInfoImplementation } from '../../../activities/actions/evidence/collect-node-info.ts';
import { drainNodeImplementation } from '../../../activities/actions/nodes/drain-node.ts';
import { listReachableSecretsImplementation } from '../../../activities/actions/secrets/list-reachable-secrets.ts';
import { deleteWorkloadImplementation } from '../../../activities/actions/workloads/delete-workload.ts';
import { evictPodImplementation } from '../../../activities/actions/workloads/evict-pod.ts';
import { hardenWorkloadImplementation } from '../../../activities/actions/workloads/harden-workload.ts';
import { restartWorkloadImplementation } from '../../../activities/actions/workloads/restart-workload.ts';
import type { RegisteredAction } from '../../../activities/chokepoint/parts.ts';
import { collectLogsInput } from '../../../core/actions/evidence/collect-logs.schema.ts';
import { collectNodeInfoInput } from '../../../core/actions/evidence/collect-node-info.schema.ts';
import {
  collectLogs,
  collectNodeInfo,
  deleteWorkload,
  drainNode,
  evictPod,
  hardenWorkload,
  listReachableSecrets,
  restartWorkload,
} from '../../../core/actions/index.ts';
import { drainNodeInput } from '../../../core/actions/nodes/drain-node.schema.ts';
import { listReachableSecretsInput } from '../../../core/actions/secrets/list-reachable-secrets.schema.ts';
import { deleteWorkloadInput } from '../../../core/actions/workloads/delete-workload.schema.ts';
import { evictPodInput } from '../../../core/actions/workloads/evict-pod.schema.ts';
import { hardenWorkloadInput } from '../../../core/actions/workloads/harden-workload.schema.ts';
import { restartWorkloadInput } from '../../../core/actions/workloads/restart-workload.schema.ts';
import type { KubernetesApi } from '../../../integrations/kubernetes/client.ts';
import type { ClusterView } from '../../../integrations/kubernetes/watch/cluster-view.ts';
import type { EvidencePart } from '../../process/evidence.ts';
import { register } from './register.ts';

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
