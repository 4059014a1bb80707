import { countConnectionsImplementation } from '../../../activities/actions/containment/count-connections.ts';
import { cutConnectionsImplementation } from '../../../activities/actions/containment/cut-connections.ts';
import { killProcessImplementation } from '../../../activities/actions/containment/kill-process.ts';
import { probeQuarantineImplementation } from '../../../activities/actions/containment/probe-quarantine.ts';
import { captureProcessesImplementation } from '../../../activities/actions/evidence/capture-processes.ts';
import { captureTrafficImplementation } from '../../../activities/actions/evidence/capture-traffic.ts';
import { checkpointContainerImplementation } from '../../../activities/actions/evidence/checkpoint-container.ts';
import { snapshotFilesystemImplementation } from '../../../activities/actions/evidence/snapshot-filesystem.ts';
import type { RegisteredAction } from '../../../activities/chokepoint/parts.ts';
import { registeredActions } from '../../../activities/chokepoint/registered.ts';
import { EvidenceStreams } from '../../../activities/evidence/evidence-streams.ts';
import { Uploads } from '../../../activities/evidence/uploads.ts';
import type { KubernetesApi } from '../../../integrations/kubernetes/client.ts';
import type { ClusterAccess } from '../../../integrations/kubernetes/kubeconfig.ts';
import type { UploadDoor } from '../../../integrations/uploads/door.ts';
import type { Config } from '../../config/load.ts';
import type { EvidencePart } from '../../process/evidence.ts';
import { type RulesConfig, rulesOf } from '../../process/rules.ts';

/**
 * Actions that work inside suspect containers, under a separate account, because the containing account must not have `pods/exec`: one line for each action
 * that says `pool: 'forensics'`.
 */
export function forensicsActions(options: {
  readonly config: Pick<Config, 'actions' | 'forensics'> & RulesConfig;
  readonly api: KubernetesApi;
  readonly access: ClusterAccess;
  readonly evidence: EvidencePart;
  /** Where the tools may upload what they collect. */
  readonly door?: UploadDoor | undefined;
}): readonly RegisteredAction[] {
  const { config, api, access, evidence, door } = options;
  const { toolsImage } = config.forensics;
  const streams = new EvidenceStreams(config.forensics.streams);
  const uploads = door && new Uploads(door);
  const { ownNamespace } = rulesOf(config);
  const parts = { api, toolsImage, streams, ownNamespace, ...evidence, ...(uploads && { uploads }) };
  return registeredActions({
    pool: 'forensics',
    optIn: config.actions.optIn,
    implementations: {
      captureProcesses: captureProcessesImplementation(parts),
      captureTraffic: captureTrafficImplementation(parts),
      checkpointContainer: checkpointContainerImplementation({ ...parts, access }),
      countConnections: countConnectionsImplementation(parts),
      cutConnections: cutConnectionsImplementation(parts),
      killProcess: killProcessImplementation(parts),
      probeQuarantine: probeQuarantineImplementation(parts),
      snapshotFilesystem: snapshotFilesystemImplementation(parts),
    },
  });
}
