import { blockEgressImplementation } from '../../activities/actions/block-egress.ts';
import { cordonNodeImplementation } from '../../activities/actions/cordon-node.ts';
import { deletePodImplementation } from '../../activities/actions/delete-pod.ts';
import { denyImageImplementation } from '../../activities/actions/deny-image.ts';
import { isolateNamespaceImplementation } from '../../activities/actions/isolate-namespace.ts';
import { quarantinePodImplementation } from '../../activities/actions/quarantine-pod.ts';
import { quarantineWorkloadImplementation } from '../../activities/actions/quarantine-workload.ts';
import { revokeServiceAccountImplementation } from '../../activities/actions/revoke-service-account.ts';
import { revokeTokensImplementation } from '../../activities/actions/revoke-tokens.ts';
import { rollbackWorkloadImplementation } from '../../activities/actions/rollback-workload.ts';
import { rotateSecretImplementation } from '../../activities/actions/rotate-secret.ts';
import { scaleToZeroImplementation } from '../../activities/actions/scale-to-zero.ts';
import { snapshotPodStateImplementation } from '../../activities/actions/snapshot-pod-state.ts';
import { snapshotVolumeImplementation } from '../../activities/actions/snapshot-volume.ts';
import { suspendCronJobImplementation } from '../../activities/actions/suspend-cron-job.ts';
import { suspendRolloutImplementation } from '../../activities/actions/suspend-rollout.ts';
import { type ImageTrust, verifyImageImplementation } from '../../activities/actions/verify-image.ts';
import type { RegisteredAction } from '../../activities/chokepoint.ts';
import { blockEgressInput } from '../../core/actions/block-egress.schema.ts';
import { cordonNodeInput } from '../../core/actions/cordon-node.schema.ts';
import { deletePodInput } from '../../core/actions/delete-pod.schema.ts';
import { denyImageInput } from '../../core/actions/deny-image.schema.ts';
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
} from '../../core/actions/index.ts';
import { isolateNamespaceInput } from '../../core/actions/isolate-namespace.schema.ts';
import { quarantinePodInput } from '../../core/actions/quarantine-pod.schema.ts';
import { quarantineWorkloadInput } from '../../core/actions/quarantine-workload.schema.ts';
import { revokeServiceAccountInput } from '../../core/actions/revoke-service-account.schema.ts';
import { revokeTokensInput } from '../../core/actions/revoke-tokens.schema.ts';
import { rollbackWorkloadInput } from '../../core/actions/rollback-workload.schema.ts';
import { rotateSecretInput } from '../../core/actions/rotate-secret.schema.ts';
import { scaleToZeroInput } from '../../core/actions/scale-to-zero.schema.ts';
import { snapshotPodStateInput } from '../../core/actions/snapshot-pod-state.schema.ts';
import { snapshotVolumeInput } from '../../core/actions/snapshot-volume.schema.ts';
import { suspendCronJobInput } from '../../core/actions/suspend-cron-job.schema.ts';
import { suspendRolloutInput } from '../../core/actions/suspend-rollout.schema.ts';
import { verifyImageInput } from '../../core/actions/verify-image.schema.ts';
import type { RotationRule } from '../../core/rotation.ts';
import type { KubernetesApi } from '../../integrations/kubernetes/client.ts';
import type { Config } from '../config/load.ts';
import type { Secrets } from '../config/secrets.ts';
import type { ClusterWatch } from './cluster.ts';
import type { EvidencePart } from './evidence.ts';
import { nodeIsolationOf } from './node-isolation.ts';
import { rulesOf } from './rules.ts';

/** One place where a typed implementation joins the list: the chokepoint checks the input by the schema before it is called. */
export function register<Input, Output>(action: RegisteredAction<Input, Output>): RegisteredAction {
  return action as unknown as RegisteredAction;
}

/** Without those that are off until the configuration names them. */
export function chosenActions(config: Config, all: readonly RegisteredAction[]): readonly RegisteredAction[] {
  return all.filter(({ declaration }) => declaration.optIn !== true || config.actions.optIn.includes(declaration.name));
}

/** What contains and what keeps, under the cell's account. */
export function cellActions(parts: {
  readonly config: Config;
  readonly secrets: Pick<Secrets, 'nodeIsolation'>;
  readonly api: KubernetesApi;
  readonly watch: ClusterWatch;
  readonly evidence: EvidencePart;
}): readonly RegisteredAction[] {
  const { config, secrets, api, evidence } = parts;
  const { view, cellKey, denyTier, noteOf } = parts.watch;
  const { protectedNamespaces, ownNamespace } = rulesOf(config);
  const exceptions = config.actions.quarantine;
  const isolation = nodeIsolationOf(config, secrets);
  const all = [
    register({
      declaration: quarantinePod,
      input: quarantinePodInput,
      implementation: quarantinePodImplementation({ api, view, cellKey, denyTier, exceptions, ...(noteOf && { noteOf }) }),
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
