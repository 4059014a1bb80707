import type { Client } from '@temporalio/client';
import type { Worker } from '@temporalio/worker';
import type { IncidentInput } from '../../core/incident-input.ts';
import type { IncidentSettings } from '../../core/step.ts';
import { createBox } from '../../integrations/crypto-box/box.ts';
import { createSubjectResolver } from '../../integrations/kubernetes/resolver.ts';
import { playbooks } from '../../playbooks/index.ts';
import type { Config } from '../config/load.ts';
import type { Secrets } from '../config/secrets.ts';
import { startIntake } from '../intake/start.ts';
import { temporalGateway } from '../intake/temporal-gateway.ts';
import { keepBuild, keptBuild, type WorkflowBuild } from '../temporal/bundle.ts';
import { deploymentName, makeCurrent, openBuilds } from '../temporal/versions.ts';
import { createCellWorker, type queuesOf, type WorkerBase } from '../temporal/workers.ts';
import { type Cluster, createClusterActivities } from './cluster.ts';
import { type Logger, reasonOf } from './log.ts';

export interface CellParts {
  readonly config: Config;
  readonly secrets: Secrets;
  readonly base: WorkerBase;
  readonly client: Client;
  readonly cluster: Cluster;
  readonly queues: ReturnType<typeof queuesOf>;
  readonly build: WorkflowBuild;
  readonly maxCachedWorkflows: number;
  readonly runWorker: (worker: Worker) => void;
  readonly log: Logger;
}

export interface RunningCell {
  readonly url: string;
  stop(): Promise<void>;
}

const currentWithinMs = 15_000;

/** The cell: the incidents' worker, one more for each older build with open incidents, and last, when all can answer, the intake. */
export async function startCell(parts: CellParts): Promise<RunningCell> {
  const { config, secrets, base, client, cluster, queues, runWorker, maxCachedWorkflows, log } = parts;
  const build = keepBuild(parts.build, config.stateDir);
  const deployment = deploymentName(config.cluster);
  const activities = await createClusterActivities({ config, secrets, cluster, pool: 'cell', log });
  const workerOf = (which: WorkflowBuild) =>
    createCellWorker({ ...base, taskQueue: queues.cell, build: which, deployment, activities, maxCachedWorkflows });

  runWorker(await workerOf(build));
  let isCurrent = false;
  const current = makeCurrent({ client, deployment, buildId: build.id, withinMs: currentWithinMs }).then(
    () => {
      isCurrent = true;
    },
    (error: unknown) => log.error({ build: build.id, reason: reasonOf(error) }, 'this build could not be made the current one'),
  );
  // The intake takes alerts while Temporal is down: they wait in the spool.
  const intake = await current.then(() =>
    startIntake({
      listen: config.intake.listen,
      tokens: secrets.intakeTokens,
      spoolDir: config.intake.spool.dir,
      maxBytes: config.intake.spool.maxBytes,
      cluster: config.cluster,
      resolver: createSubjectResolver(cluster),
      gateway: temporalGateway({
        client,
        taskQueue: queues.cell,
        input: (start): IncidentInput => ({ start, settings: settingsOf(config, queues) }),
        mayStartEagerly: () => isCurrent,
        log,
      }),
      seal: sealRaw(secrets),
      log,
    }),
  );
  void runOlderBuilds({ parts, deployment, current: build.id, workerOf });
  return { url: intake.url, stop: () => intake.stop() };
}

/** Raw alerts hold what attackers and commands wrote, secrets too: on the disk they are only kept encrypted. */
function sealRaw({ codecKeys }: Secrets): Parameters<typeof startIntake>[0]['seal'] {
  const box = createBox({ keys: codecKeys });
  return (bytes, aad) => box.seal(bytes, aad);
}

function settingsOf(config: Config, queues: CellParts['queues']): IncidentSettings {
  const { enabled } = config.playbooks;
  return {
    queues,
    playbooks: enabled === 'all' ? playbooks.map((playbook) => playbook.id) : enabled,
    levels: config.incidents.levels.map(({ group, withinMinutes }) => ({ group, withinMs: withinMinutes * 60_000 })),
    evidenceDeadlineMs: config.evidence.deadlineMinutes * 60_000,
    lingerMs: config.incidents.lingerSeconds * 1_000,
    maxBodies: config.incidents.maxBodies,
  };
}

/** An incident that began under an older build of the playbooks is finished by it: its bundle is in the state directory. */
async function runOlderBuilds(options: {
  readonly parts: CellParts;
  readonly deployment: string;
  readonly current: string;
  readonly workerOf: (build: WorkflowBuild) => Promise<Worker>;
}): Promise<void> {
  const { parts, deployment, current, workerOf } = options;
  const { client, config, runWorker, log } = parts;
  try {
    for (const id of await openBuilds({ client, deployment, except: current })) {
      const build = keptBuild(id, config.stateDir);
      if (build) runWorker(await workerOf(build));
      else
        log.error(
          { build: id },
          'open incidents need an older build that is not in the state directory: run its version of Firebreak once more',
        );
    }
  } catch (error) {
    log.error({ reason: reasonOf(error) }, 'older builds with open incidents could not be looked for');
  }
}
