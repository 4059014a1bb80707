import { captureProcessesImplementation } from '../../activities/actions/capture-processes.ts';
import { captureTrafficImplementation } from '../../activities/actions/capture-traffic.ts';
import { checkpointContainerImplementation } from '../../activities/actions/checkpoint-container.ts';
import { cutConnectionsImplementation } from '../../activities/actions/cut-connections.ts';
import { killProcessImplementation } from '../../activities/actions/kill-process.ts';
import { probeQuarantineImplementation } from '../../activities/actions/probe-quarantine.ts';
import { snapshotFilesystemImplementation } from '../../activities/actions/snapshot-filesystem.ts';
import type { RegisteredAction } from '../../activities/chokepoint.ts';
import { EvidenceStreams } from '../../activities/evidence-streams.ts';
import { Uploads } from '../../activities/uploads.ts';
import { captureProcessesInput } from '../../core/actions/capture-processes.schema.ts';
import { captureTrafficInput } from '../../core/actions/capture-traffic.schema.ts';
import { checkpointContainerInput } from '../../core/actions/checkpoint-container.schema.ts';
import { cutConnectionsInput } from '../../core/actions/cut-connections.schema.ts';
import {
  captureProcesses,
  captureTraffic,
  checkpointContainer,
  cutConnections,
  killProcess,
  probeQuarantine,
  snapshotFilesystem,
} from '../../core/actions/index.ts';
import { killProcessInput } from '../../core/actions/kill-process.schema.ts';
import { probeQuarantineInput } from '../../core/actions/probe-quarantine.schema.ts';
import { snapshotFilesystemInput } from '../../core/actions/snapshot-filesystem.schema.ts';
import type { KubernetesApi } from '../../integrations/kubernetes/client.ts';
import type { ClusterAccess } from '../../integrations/kubernetes/kubeconfig.ts';
import type { UploadDoor } from '../../integrations/uploads/door.ts';
import type { Config } from '../config/load.ts';
import { chosenActions, register } from './actions.ts';
import type { EvidencePart } from './evidence.ts';
import { rulesOf } from './rules.ts';

/** What works inside of suspect containers, under an account of its own: `pods/exec` is not for who contains. */
export function forensicsActions(options: {
  readonly config: Config;
  readonly api: KubernetesApi;
  readonly access: ClusterAccess;
  readonly evidence: EvidencePart;
  /** Where the tools may bring what they take. */
  readonly door?: UploadDoor | undefined;
}): readonly RegisteredAction[] {
  const { config, api, access, evidence, door } = options;
  const streams = new EvidenceStreams(config.forensics.streams);
  const uploads = door && new Uploads(door);
  const parts = { api, toolsImage: config.forensics.toolsImage, streams, ...evidence, ...(uploads && { uploads }) };
  const { ownNamespace } = rulesOf(config);
  return chosenActions(config, [
    register({
      declaration: cutConnections,
      input: cutConnectionsInput,
      implementation: cutConnectionsImplementation({ ...parts, ownNamespace }),
    }),
    register({
      declaration: probeQuarantine,
      input: probeQuarantineInput,
      implementation: probeQuarantineImplementation({ ...parts, ownNamespace }),
    }),
    register({
      declaration: captureProcesses,
      input: captureProcessesInput,
      implementation: captureProcessesImplementation(parts),
    }),
    register({
      declaration: snapshotFilesystem,
      input: snapshotFilesystemInput,
      implementation: snapshotFilesystemImplementation(parts),
    }),
    register({
      declaration: checkpointContainer,
      input: checkpointContainerInput,
      implementation: checkpointContainerImplementation({ ...parts, access, ownNamespace }),
    }),
    register({ declaration: captureTraffic, input: captureTrafficInput, implementation: captureTrafficImplementation(parts) }),
    register({ declaration: killProcess, input: killProcessInput, implementation: killProcessImplementation(parts) }),
  ]);
}
