import { blockEgressImplementation } from '../../../activities/actions/containment/block-egress.ts';
import { denyImageImplementation } from '../../../activities/actions/containment/deny-image.ts';
import { isolateNamespaceImplementation } from '../../../activities/actions/containment/isolate-namespace.ts';
import { quarantinePodImplementation } from '../../../activities/actions/containment/quarantine-pod.ts';
import { quarantineWorkloadImplementation } from '../../../activities/actions/containment/quarantine-workload.ts';
import { snapshotPodStateImplementation } from '../../../activities/actions/evidence/snapshot-pod-state.ts';
import { snapshotVolumeImplementation } from '../../../activities/actions/evidence/snapshot-volume.ts';
import { cordonNodeImplementation } from '../../../activities/actions/nodes/cordon-node.ts';
import { revokeServiceAccountImplementation } from '../../../activities/actions/secrets/revoke-service-account.ts';
import { revokeTokensImplementation } from '../../../activities/actions/secrets/revoke-tokens.ts';
import { rotateSecretImplementation } from '../../../activities/actions/secrets/rotate-secret.ts';
import { type ImageTrust, verifyImageImplementation } from '../../../activities/actions/verify-image.ts';
import { deletePodImplementation } from '../../../activities/actions/workloads/delete-pod.ts';
import { rollbackWorkloadImplementation } from '../../../activities/actions/workloads/rollback-workload.ts';
import { scaleToZeroImplementation } from '../../../activities/actions/workloads/scale-to-zero.ts';
import { suspendCronJobImplementation } from '../../../activities/actions/workloads/suspend-cron-job.ts';
import { suspendRolloutImplementation } from '../../../activities/actions/workloads/suspend-rollout.ts';
import type { RegisteredAction } from '../../../activities/chokepoint/parts.ts';
import type { RotationRule } from '../../../core/action/rotation.ts';
import { blockEgressInput } from '../../../core/actions/containment/block-egress.schema.ts';
import { denyImageInput } from '../../../core/actions/containment/deny-image.schema.ts';
import { isolateNamespaceInput } from '../../../core/actions/containment/isolate-namespace.schema.ts';
import { quarantinePodInput } from '../../../core/actions/containment/quarantine-pod.schema.ts';
import { quarantineWorkloadInput } from '../../../core/actions/containment/quarantine-workload.schema.ts';
import { snapshotPodStateInput } from '../../../core/actions/evidence/snapshot-pod-state.schema.ts';
import { snapshotVolumeInput } from '../../../core/actions/evidence/snapshot-volume.schema.ts';
import {
  blockEgress,
  cordonNode,
  deletePod,
  denyImage,
  isolateNamespace,
  quarantinePod,
  quarantineWorkload,
  revokeServiceAccount,
  revokeTokens,
  rollbackWorkload,
  rotateSecret,
  scaleToZero,
  snapshotPodState,
  snapshotVolume,
  suspendCronJob,
  suspendRollout,
  verifyImage,
} from '../../../core/actions/index.ts';
import { cordonNodeInput } from '../../../core/actions/nodes/cordon-node.schema.ts';
import { revokeServiceAccountInput } from '../../../core/actions/secrets/revoke-service-account.schema.ts';
import { revokeTokensInput } from '../../../core/actions/secrets/revoke-tokens.schema.ts';
import { rotateSecretInput } from '../../../core/actions/secrets/rotate-secret.schema.ts';
import { verifyImageInput } from '../../../core/actions/verify-image.schema.ts';
import { deletePodInput } from '../../../core/actions/workloads/delete-pod.schema.ts';
import { rollbackWorkloadInput } from '../../../core/actions/workloads/rollback-workload.schema.ts';
import { scaleToZeroInput } from '../../../core/actions/workloads/scale-to-zero.schema.ts';
import { suspendCronJobInput } from '../../../core/actions/workloads/suspend-cron-job.schema.ts';
import { suspendRolloutInput } from '../../../core/actions/workloads/suspend-rollout.schema.ts';
import type { KubernetesApi } from '../../../integrations/kubernetes/client.ts';
import type { Config } from '../../config/load.ts';
import type { Secrets } from '../../config/secrets.ts';
import type { EvidencePart } from '../../process/evidence.ts';
import { rulesOf } from '../../process/rules.ts';
import { nodeIsolationOf } from './node-isolation.ts';
import type { ClusterWatch } from './register.ts';
import { chosenActions, register } from './register.ts';

/** What contains and what keeps, under the cell's account. */
export function cellActions(parts: {
  readonly config: Config;
  readonly secrets: Pick<Secrets, 'nodeIsolation'>;
  readonly api: KubernetesApi;
  readonly watch: ClusterWatch;
  readonly evidence: EvidencePart;
}): readonly RegisteredAction[] {
  const { config, secrets, api, evidence } = parts;
  const { view, cellKey, denyTier, notes } = parts.watch;
  const { protectedNamespaces, ownNamespace } = rulesOf(config);
  const exceptions = config.actions.quarantine;
  const isolation = nodeIsolationOf(config, secrets);
  const all = [
    register({
      declaration: quarantinePod,
      input: quarantinePodInput,
      implementation: quarantinePodImplementation({
        api,
        view,
        cellKey,
        denyTier,
        exceptions,
        ...(notes && { noteOf: notes.of }),
      }),
    }),
    register({
      declaration: quarantineWorkload,
      input: quarantineWorkloadInput,
      implementation: quarantineWorkloadImplementation({ api, view, cellKey, denyTier, exceptions }),
    }),
    register({
      declaration: isolateNamespace,
      input: isolateNamespaceInput,
      implementation: isolateNamespaceImplementation({ api, cellKey }),
    }),
    register({
      declaration: blockEgress,
      input: blockEgressInput,
      implementation: blockEgressImplementation({ api, cellKey }),
    }),
    register({
      declaration: cordonNode,
      input: cordonNodeInput,
      implementation: cordonNodeImplementation({ api, view, cellKey, ...(isolation && { isolation }) }),
    }),
    register({
      declaration: suspendCronJob,
      input: suspendCronJobInput,
      implementation: suspendCronJobImplementation({ api, cellKey }),
    }),
    register({
      declaration: suspendRollout,
      input: suspendRolloutInput,
      implementation: suspendRolloutImplementation({ api, cellKey }),
    }),
    register({
      declaration: scaleToZero,
      input: scaleToZeroInput,
      implementation: scaleToZeroImplementation({ api, view, cellKey }),
    }),
    register({
      declaration: revokeServiceAccount,
      input: revokeServiceAccountInput,
      implementation: revokeServiceAccountImplementation({ api, cellKey }),
    }),
    register({
      declaration: denyImage,
      input: denyImageInput,
      implementation: denyImageImplementation({
        api,
        view,
        cellKey,
        exempt: [...new Set([...protectedNamespaces, ownNamespace])].sort(),
      }),
    }),
    register({
      declaration: snapshotPodState,
      input: snapshotPodStateInput,
      implementation: snapshotPodStateImplementation({ api, ...evidence }),
    }),
    register({
      declaration: snapshotVolume,
      input: snapshotVolumeInput,
      implementation: snapshotVolumeImplementation({ api, cellKey, ...evidence }),
    }),
    register({ declaration: deletePod, input: deletePodInput, implementation: deletePodImplementation({ api }) }),
  ];
  return chosenActions(config, all);
}

/** What reads and writes Secrets, under an account that may do nothing else. */
export function secretsActions({
  api,
  rules,
  trust,
}: {
  readonly api: KubernetesApi;
  readonly rules: readonly RotationRule[];
  readonly trust: ImageTrust;
}): readonly RegisteredAction[] {
  return [
    register({
      declaration: rotateSecret,
      input: rotateSecretInput,
      implementation: rotateSecretImplementation({ api, rules }),
    }),
    register({
      declaration: rollbackWorkload,
      input: rollbackWorkloadInput,
      implementation: rollbackWorkloadImplementation({ api }),
    }),
    register({
      declaration: verifyImage,
      input: verifyImageInput,
      implementation: verifyImageImplementation({ api, trust }),
    }),
    register({ declaration: revokeTokens, input: revokeTokensInput, implementation: revokeTokensImplementation({ api }) }),
  ];
}
