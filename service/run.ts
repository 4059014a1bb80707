import { hostname } from 'node:os';
import { join } from 'node:path';
import type { Client } from '@temporalio/client';
import type { Worker } from '@temporalio/worker';
import { ContainmentFirst } from '../activities/chokepoint/containment-first.ts';
import { OwnSteps } from '../activities/chokepoint/own-steps.ts';
import type { StepListener } from '../core/action/step.ts';
import { FirebreakError } from '../core/errors.ts';
import type { Restrainable } from '../core/orders/restraint.ts';
import { createBox } from '../integrations/crypto-box/box.ts';
import { eitherOf, type RampingVersions } from './cell/builds/incident-versions.ts';
import { startCell } from './cell/cell.ts';
import { learnOwnAccount, openDecisions } from './cell/control/control.ts';
import type { DecisionBook } from './cell/control/decision-book.ts';
import { followDecisions } from './cell/control/follow.ts';
import { PromotedPacks } from './cell/control/promoted-packs.ts';
import { createForensicsPool, createPacksPool, createSecretsPool, openCluster } from './cell/pools/cluster.ts';
import { openKnowledge } from './cell/pools/durable-memory.ts';
import { rotationVault } from './cell/pools/rotation.ts';
import { originsKnownTo } from './cell/run-ends.ts';
import { listening } from './config/listening.ts';
import type { Config, ConfigSource, Environment } from './config/load.ts';
import { ownActionsOf } from './config/packs.ts';
import { type Role, resolveSecrets } from './config/secrets.ts';
import { startDesk } from './desk/desk.ts';
import { openEvidenceStore, sweepEvidence } from './process/evidence.ts';
import { renewVaultToken } from './process/keys/evidence-keys.ts';
import { ensureKeys } from './process/keys/key-files.ts';
import type { Logger } from './process/log.ts';
import { firebreakVersion } from './process/project-root.ts';
import { repeat } from './process/repeat.ts';
import { RightsWatch } from './process/rights-watch.ts';
import { askingOfEither } from './process/rules.ts';
import { openSpeakers, RefusedCalls } from './process/speakers.ts';
import { createProcessMetrics, listenForStatus } from './process/status-server.ts';
import { openTelemetry } from './process/telemetry/telemetry.ts';
import { unreadableTrust } from './process/trust.ts';
import { keepVaultToken } from './process/vault-token.ts';
import type { WorkflowBuild } from './temporal/bundle/bundle.ts';
import { openTemporalLink } from './temporal/link.ts';
import { installRuntime } from './temporal/runtime.ts';
import { identityOf } from './temporal/versions.ts';
import { createActivityWorker, queuesOf } from './temporal/workers.ts';

interface RunOptions {
  readonly config: Config;
  readonly env: Environment;
  readonly roles: readonly Role[];
  readonly build: WorkflowBuild;
  /** The version of a pack with which some incidents start. */
  readonly ramping?: RampingVersions | undefined;
  /** Source from which the configuration is read again when other versions of packs are promoted. Absent: the running versions stay. */
  readonly source?: ConfigSource;
  readonly log: Logger;
}

interface RunningFirebreak {
  readonly intakeUrl?: string;
  readonly deskUrl?: string;
  /** Resolves when a worker ends by itself, which is an error. */
  readonly failed: Promise<Error>;
  /** Resolves when versions of packs other than the running ones were promoted: restart with the configuration as it is read now. */
  readonly promoted: Promise<void>;
  /** Makes new incidents start with a build that has the same envelopes. False if this needs a restart. Never rejects. */
  adopt(build: WorkflowBuild): Promise<boolean>;
  stop(): Promise<void>;
}

const sweepJudgementsMs = 86_400_000;

/** Pools with rights separate from the cell's. */
const pools = [
  ['secrets', createSecretsPool],
  ['forensics', createForensicsPool],
] as const;

/** Starts the roles of this process. Intake and desk are open when it resolves; the workers start as soon as Temporal answers, which may be later. */
export async function startFirebreak(options: RunOptions): Promise<RunningFirebreak> {
  const { config, env, build, ramping, source, log } = options;
  const own = ownActionsOf(config);
  // If no pack has its own actions, or could have after a promotion, their pool is not started.
  const roles = options.roles.filter((role) => role !== 'packs' || own.length > 0 || config.releases.packs.length > 0);
  if (roles.length === 0)
    throw new FirebreakError(
      'FB_ERR_CONFIG_INVALID',
      'no pack of the configuration has actions of its own: this process would do nothing',
    );
  const has = (role: Role): boolean => roles.includes(role);
  await ensureKeys({ config, roles });
  const secrets = resolveSecrets({ config, env, roles });
  // Must run before the first connection, which would create a runtime.
  installRuntime({
    log,
    answers: () => link.answers(),
    nameOf: (run) => knowledge.open.idOf(run),
  });
  const { address, namespace } = config.temporal;
  const refused = new RefusedCalls(log);
  const knowledge = openKnowledge(join(config.stateDir, memoryFolder(roles)), log);
  const { starts, judgements, records, refusedReleases } = knowledge;
  const telemetry = openTelemetry({ config, secrets, roles, log });
  const tracing = telemetry?.tracing;
  const heardSteps: StepListener = {
    done: (call, output) => cell?.heard.done(call, output),
    failed: (call, what, code) => cell?.heard.failed(call, what, code),
  };
  const speakers = await openSpeakers({
    config,
    secrets,
    roles,
    refused,
    starts,
    judgements,
    steps: heardSteps,
    records: {
      made: (run, record) => {
        records.made(run, record);
        refusedReleases.heard(record);
      },
      left: (run, places) => records.left(run, places),
    },
    tracing,
    log,
  });
  const asRole = (role: Role) => {
    const speaker = speakers.get(role);
    return speaker && link.as(speaker);
  };
  const link = openTemporalLink({
    address,
    namespace,
    identity: identityOf({ version: firebreakVersion(), host: hostname(), pid: process.pid }),
    access: secrets.temporalAccess,
    onRenewed: (outcome) =>
      outcome === 'renewed'
        ? log.info({}, 'the connections to Temporal use the renewed certificate or key')
        : log.error({}, 'cannot use the renewed certificate or key for Temporal; the connections stay as they are'),
    onWaiting: (reason, { forSeconds }) =>
      log.error({ reason, forSeconds }, 'waiting for Temporal: alerts are accepted, kept on disk, and sent once it answers'),
  });
  const queues = queuesOf(config.cluster);
  const workers = new RunningWorkers();
  const first = new ContainmentFirst();

  const desk = has('desk')
    ? await startDesk({ config, secrets, client: () => asRole('desk')?.client, taskQueue: queues.desk, first, tracing, log })
    : undefined;
  if (desk) log.info({ url: desk.url }, 'the desk is open');
  const needsCluster =
    has('cell') || has('secrets') || has('forensics') || (has('packs') && own.some(({ rights }) => rights.length > 0));
  const steps = new OwnSteps({ box: createBox({ keys: secrets.codecKeys }) });
  const cluster = needsCluster
    ? await openCluster({ config, ramping: ramping?.config, env, watches: has('cell'), steps, log })
    : undefined;
  const stopping = new AbortController();
  if (cluster) void learnOwnAccount({ api: cluster.api, steps, signal: stopping.signal });
  const rights =
    cluster &&
    new RightsWatch({
      api: cluster.api,
      pools: roles.filter((role) => role !== 'desk'),
      config: eitherOf(config, ramping),
      log,
    });
  rights?.start(stopping.signal);
  let isAtWork = false;
  const at = config.status?.listen;
  const others = [desk, telemetry].flatMap((one) => one?.metrics ?? []);
  const metrics = createProcessMetrics({
    rights,
    refused,
    isAtWork: () => isAtWork,
    unreadableKeys: () => unreadableTrust(config),
    leftOut: config.leftOut,
    others,
  });
  const status =
    at &&
    (await listening('status.listen', at, () =>
      listenForStatus({ ...at, rights, isAtWork: () => isAtWork, leftOut: config.leftOut, metrics }),
    ));
  if (at && status) log.info({ url: `http://${at.host}:${at.port}` }, 'serving metrics and health');
  if (has('cell'))
    void repeat({ work: () => judgements.sweep(stopping.signal), everyMs: sweepJudgementsMs, signal: stopping.signal });
  if (has('cell') || has('forensics')) {
    void sweepEvidence({ store: await openEvidenceStore({ config, secrets }), log, signal: stopping.signal });
    void renewVaultToken({ config, secrets, log, signal: stopping.signal });
  }
  const rotates = secrets.rotation && rotationVault(config, secrets.rotation);
  if (rotates) void keepVaultToken({ vault: rotates, name: 'the rotation’s Vault', log, signal: stopping.signal });
  const runWorker = (worker: Worker): void => {
    link.adopt(worker);
    workers.run(worker);
  };
  const closing: (() => Promise<void>)[] = [];
  const atEnd = (close: () => Promise<void>): void => {
    closing.push(close);
  };
  const cell =
    cluster?.watch && rights
      ? await startCell({
          config,
          secrets,
          cluster,
          watch: cluster.watch,
          steps,
          knowledge,
          queues,
          build,
          ramping,
          isWatched: (source?.watched ?? []).length > 0,
          runWorker,
          first,
          rights,
          tracing,
          log,
        })
      : undefined;
  if (cell) others.push(cell.metrics);
  telemetry?.follow(metrics);
  if (cell) log.info({ url: cell.url, build: build.id }, 'the intake is open');

  const followOwnDecisions = async (client: Client, reader: string): Promise<DecisionBook> => {
    const { book, signIns } = await openDecisions({ config, reader, log });
    void followDecisions({ client, cluster: config.cluster, book, signIns, signal: stopping.signal });
    return book;
  };
  const restraintsOf = async (client: Client, reader: string) => {
    const book = await followOwnDecisions(client, reader);
    return (step: Restrainable) => book.on(step);
  };
  const ofEither = askingOfEither(config, ramping?.config);
  const asking = () => ofEither;
  const promoted = Promise.withResolvers<void>();
  const followPromotions = async (packs: PromotedPacks): Promise<void> => {
    if (source && (await packs.changed(source, has('cell'), stopping.signal))) promoted.resolve();
  };
  if (cell?.packs) void followPromotions(cell.packs);

  const atWork = (async () => {
    if (!(await link.connected)) return;
    // The client of any role: each trusts the cells whose incidents it serves.
    const [client] = roles.flatMap((role) => asRole(role)?.client ?? []);
    if (client) starts.asks(originsKnownTo(client));
    if (client && !cell && config.releases.packs.length > 0) {
      const book = await followOwnDecisions(client, `packs-${roles.join('-')}`);
      void followPromotions(new PromotedPacks({ config, secrets, ramping, promotions: () => book.promotions(), log }));
    }
    // The desk starts first, so that it receives an incident's messages from the beginning.
    const temporalOfDesk = asRole('desk');
    if (desk && temporalOfDesk) runWorker(await desk.createWorker(temporalOfDesk.base));
    for (const [role, createPool] of pools) {
      const temporal = asRole(role);
      if (!cluster || !temporal || !has(role)) continue;
      const { base, client } = temporal;
      const restraintOn = cell?.restraintOn ?? (await restraintsOf(client, role));
      const activities = await createPool({ config, secrets, cluster, steps, restraintOn, knowledge, asking, log, atEnd });
      runWorker(await createActivityWorker({ ...base, taskQueue: queues[role], role, activities, concurrency: 10 }));
    }
    const temporalOfPacks = asRole('packs');
    if (temporalOfPacks) {
      const { base, client } = temporalOfPacks;
      const restraintOn = cell?.restraintOn ?? (await restraintsOf(client, 'packs'));
      const activities = await createPacksPool({ config, secrets, steps, restraintOn, knowledge, asking, env, log, atEnd });
      runWorker(await createActivityWorker({ ...base, taskQueue: queues.packs, role: 'packs', activities, concurrency: 10 }));
    }
    const temporalOfCell = asRole('cell');
    if (temporalOfCell) await cell?.work(temporalOfCell);
    isAtWork = true;
    log.info({ roles, address, next: 'firebreak doctor says what is missing' }, 'ready: connected to Temporal');
  })();
  atWork.catch((error: unknown) => workers.fail(error));

  return {
    ...(cell ? { intakeUrl: cell.url } : {}),
    ...(desk ? { deskUrl: desk.url } : {}),
    failed: workers.failed,
    promoted: promoted.promise,
    adopt: async (next) => cell?.adopt(next) ?? false,
    stop: async () => {
      stopping.abort();
      isAtWork = false;
      // The intake closes first and hands over what it accepted; then the workers finish what they have begun.
      await cell?.stop();
      const closed = !link.isThere() ? link.close() : undefined;
      await Promise.allSettled([atWork]);
      await workers.stop();
      await Promise.all(closing.map((close) => close()));
      await cell?.close();
      await knowledge.close();
      await cluster?.stop();
      await desk?.stop();
      status?.close();
      await (closed ?? link.close());
      await telemetry?.stop();
    },
  };
}

/** Processes on one machine may share a state directory: each has a memory folder of its own. */
function memoryFolder(roles: readonly Role[]): string {
  return roles.includes('cell') ? 'memory' : `memory-${roles.join('-')}`;
}

/** The workers of this process, and the first fault that ends one of them. */
class RunningWorkers {
  readonly failed: Promise<Error>;
  readonly #running: { readonly worker: Worker; readonly run: Promise<void> }[] = [];
  #report: (error: Error) => void = () => {};

  constructor() {
    this.failed = new Promise((resolve) => {
      this.#report = resolve;
    });
  }

  run(worker: Worker): void {
    const run = worker.run();
    run.catch((error: unknown) => this.fail(error));
    this.#running.push({ worker, run });
  }

  fail(error: unknown): void {
    this.#report(error instanceof Error ? error : new Error('a worker has stopped'));
  }

  async stop(): Promise<void> {
    for (const { worker } of this.#running) if (worker.getState() === 'RUNNING') worker.shutdown();
    await Promise.allSettled(this.#running.map(({ run }) => run));
  }
}
