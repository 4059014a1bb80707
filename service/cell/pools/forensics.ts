import { cutConnectionsImplementation } from '../../../activities/actions/containment/cut-connections.ts';
import { killProcessImplementation } from '../../../activities/actions/containment/kill-process.ts';
import { probeQuarantineImplementation } from '../../../activities/actions/containment/probe-quarantine.ts';
import { captureProcessesImplementation } from '../../../activities/actions/evidence/capture-processes.ts';
import { captureTrafficImplementation } from '../../../activities/actions/evidence/capture-traffic.ts';
import { checkpointContainerImplementation } from '../../../activities/actions/evidence/checkpoint-container.ts';
import { snapshotFilesystemImplementation } from '../../../activities/actions/evidence/snapshot-filesystem.ts';
import type { RegisteredAction } from '../../../activities/chokepoint/parts.ts';
import { EvidenceStreams } from '../../../activities/evidence/evidence-streams.ts';
import { Uploads } from '../../../activities/evidence/uploads.ts';
import { cutConnectionsInput } from '../../../core/actions/containment/cut-connections.schema.ts';
import { killProcessInput } from '../../../core/actions/containment/kill-process.schema.ts';
import { probeQuarantineInput } from '../../../core/actions/containment/probe-quarantine.schema.ts';
import { captureProcessesInput } from '../../../core/actions/evidence/capture-processes.schema.ts';
import { captureTrafficInput } from '../../../core/actions/evidence/capture-traffic.schema.ts';
import { checkpointContainerInput } from '../../../core/actions/evidence/checkpoint-container.schema.ts';
import { snapshotFilesystemInput } from '../../../core/actions/evidence/snapshot-filesystem.schema.ts';
import {
  captureProcesses,
  captureTraffic,
  checkpointContainer,
  cutConnections,
  killProcess,
  probeQuarantine,
  snapshotFilesystem,
} from '../../../core/actions/index.ts';
import type { KubernetesApi } from '../../../integrations/kubernetes/client.ts';
import type { ClusterAccess } from '../../../integrations/kubernetes/kubeconfig.ts';
import type { UploadDoor } from '../../../integrations/uploads/door.ts';
import type { Config } from '../../config/load.ts';
import type { EvidencePart } from '../../process/evidence.ts';
import { rulesOf } from '../../process/rules.ts';
import { chosenActions, register } from './register.ts';

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
