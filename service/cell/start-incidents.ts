import { totalmem } from 'node:os';
import { type Client, WorkflowNotFoundError } from '@temporalio/client';
import type { Worker } from '@temporalio/worker';
import type { ContainmentFirst } from '../../activities/chokepoint/containment-first.ts';
import type { CellActivities, IncidentSettings, LookActivities } from '../../core/action/step.ts';
import { countConnections, quarantineWorkload } from '../../core/actions/index.ts';
import { isContainedAtOnce } from '../../core/assessment/contained-at-once.ts';
import type { ControlActivities, EvidenceActivities } from '../../core/decide/control.ts';
import { incidentIdOf, incidentNames } from '../../core/incident/incident.ts';
import type { IncidentInput } from '../../core/incident/incident-input.ts';
import type { IncidentState } from '../../core/incident/incident-state.ts';
import type { Lease } from '../../core/incident/lease.ts';
import type { ScheduleActivities } from '../../core/playbook/scheduled-runs.ts';
import type { Config } from '../config/load.ts';
import type { Secrets } from '../config/secrets.ts';
import { followUpOf } from '../config/sections/ticket-sections.ts';
import { unavailableActions } from '../config/unavailable.ts';
import type { LateGateway } from '../intake/send/late-gateway.ts';
import { type Beginning, temporalGateway } from '../intake/send/temporal-gateway.ts';
import { type Logger, reasonOf } from '../process/log.ts';
import { askingOf, levelsOfIncidents } from '../process/rules.ts';
import type { WorkflowBuild } from '../temporal/bundle/bundle.ts';
import type { TemporalConnected } from '../temporal/link.ts';
import { RepeatedTrouble } from '../temporal/repeated-trouble.ts';
import { deploymentName, makeCurrent } from '../temporal/versions.ts';
import { warmUp } from '../temporal/warm-up.ts';
import { cachedWorkflows, createCellWorker, type queuesOf, type WorkerBase } from '../temporal/workers.ts';
import { BegunBuilds } from './builds/begun-builds.ts';
import { DurableBuilds } from './builds/durable-builds.ts';
import { followRamp, type IncidentVersions, type RampingVersions, tellBuild, tellBuilds } from './builds/incident-versions.ts';
import { runOlderBuilds } from './builds/older-builds.ts';
import type { ReleaseSaid } from './containment/held-resources.ts';
import type { HoldContainment } from './containment/hold-containment.ts';
import type { CellControl } from './control/control.ts';
import { expireEvidence } from './control/evidence-window.ts';
import { followControl, type Pace } from './control/follow.ts';
import type { HeadStarts } from './head-starts.ts';
import type { OwnKnowledge } from './pools/durable-memory.ts';
import { beginningsKnownTo } from './run-ends.ts';

const currentWithinMs = 15_000;
const askMs = 10_000;

export interface IncidentsParts {
  readonly config: Config;
  readonly secrets: Secrets;
  readonly queues: ReturnType<typeof queuesOf>;
  readonly build: WorkflowBuild;
  /** The versions that some incidents begin with instead. */
  readonly ramping?: RampingVersions | undefined;
  /** Its packs are under development: the first alert need not be as fast as the next. */
  readonly isWatched: boolean;
  readonly runWorker: (worker: Worker) => void;
  readonly first: ContainmentFirst;
  readonly knowledge: OwnKnowledge;
  /** The running workers. */
  readonly workers: Set<Worker>;
  readonly activities: CellActivities & LookActivities & ControlActivities & EvidenceActivities & ScheduleActivities;
  readonly versions: IncidentVersions;
  readonly control: CellControl;
  readonly pace: Pace;
  readonly gateway: LateGateway;
  readonly headStarts: HeadStarts;
  readonly hold: HoldContainment;
  readonly temporal: TemporalConnected;
  /** Whether anything may be written in a namespace, or to the cluster. */
  readonly mayWrite: (namespace: string | undefined) => boolean;
  readonly log: Logger;
  readonly stopping: AbortSignal;
}

/** Starts the incidents' worker, one more for each older build with open incidents and, once all can answer, the gateway. */
export async function startIncidents(parts: IncidentsParts): Promise<BegunBuilds> {
  const { config, queues, build, control, headStarts, hold, knowledge, log, stopping: signal } = parts;
  const { cluster } = config;
  const { client } = parts.temporal;
  const begun = await runBuilds(parts);
  const isCurrent = await becomeCurrent(parts);
  if (isCurrent() && !parts.isWatched && !(await warmUp({ client, cluster, taskQueue: queues.cell })))
    log.warn({}, 'the first containment after this start may take one second longer');
  control.intake.open(client);
  control.evidence.open(client);
  void followControl({
    client,
    cluster,
    queues,
    deployment: deploymentName(cluster),
    buildId: build.id,
    book: control.book,
    signIns: control.signIns,
    records: knowledge.records,
    wasBegun: beginningsKnownTo(client, knowledge.starts),
    pace: parts.pace,
    log,
    signal,
  });
  void expireEvidence({ client, cluster, signal });
  headStarts.watch((incident, uid) => isHeld(client, incident, uid));
  hold.ask((incident, step) => releaseSaid(client, incident, step));
  openGateway(parts, { begun, isCurrent });
  return begun;
}

/** Starts the workers: for the newest build, the one that some incidents begin with, and those that open incidents have begun with. */
async function runBuilds(parts: IncidentsParts): Promise<BegunBuilds> {
  const { config, secrets, queues, build, ramping, runWorker, workers, activities, versions, temporal, log, stopping } = parts;
  const { base, client } = temporal;
  const deployment = deploymentName(config.cluster);
  const memory = Math.min(totalmem(), process.constrainedMemory() || Number.POSITIVE_INFINITY);
  const start = async (which: WorkflowBuild, on: WorkerBase, place: 'first' | 'beside'): Promise<() => void> => {
    const worker = await createCellWorker({
      ...on,
      taskQueue: queues.cell,
      build: which,
      deployment,
      activities,
      maxCachedWorkflows: cachedWorkflows(memory, place),
    });
    runWorker(worker);
    workers.add(worker);
    return () => {
      workers.delete(worker);
      if (worker.getState() === 'RUNNING') worker.shutdown();
    };
  };
  await start(build, base, 'first');
  const startBeside = async (which: WorkflowBuild): Promise<() => void> => start(which, await temporal.apart(), 'beside');
  const builds = new DurableBuilds({ config, secrets, log });
  void builds.keep(build, stopping);
  if (ramping) {
    // On a separate connection, like older builds: eager first tasks go to the current build.
    await startBeside(ramping.build);
    void builds.keep(ramping.build, stopping);
    void followRamp({ client, deployment, ramping, versions, log, signal: stopping });
  }
  const begun = new BegunBuilds({
    first: build,
    start: startBeside,
    makeKnown: async (next) => {
      await tellBuild({ client, deployment, of: { config, build: next } });
      void builds.keep(next, stopping);
      // For `builds list`, and for workflows started without naming a build. Nobody waits for it.
      void makeCurrent({ client, deployment, buildId: next.id, withinMs: currentWithinMs, signal: stopping }).catch(
        () => undefined,
      );
    },
    signal: stopping,
  });
  void runOlderBuilds({
    client,
    deployment,
    running: () => [...begun.running(), ...(ramping ? [ramping.build.id] : [])],
    superseded: () => begun.superseded(),
    stateDir: config.stateDir,
    fetch: (id) => builds.fetch(id),
    start: (which) => begun.start(which),
    log,
    signal: stopping,
  });
  return begun;
}

/** Returns whether the build is current by now. Retries until Temporal accepts it; only the first try is awaited. */
async function becomeCurrent({ config, build, ramping, temporal, log, stopping }: IncidentsParts): Promise<() => boolean> {
  const { client } = temporal;
  const deployment = deploymentName(config.cluster);
  let isCurrent = false;
  const notCurrent = new RepeatedTrouble();
  const attempt = async (): Promise<void> => {
    try {
      const of = { client, deployment, buildId: build.id, withinMs: currentWithinMs, signal: stopping };
      if (await makeCurrent(of))
        log.warn(
          { deployment },
          'somebody with access to Temporal stopped it from accepting a new current build; that is reverted',
        );
      isCurrent = true;
      void tellBuilds({ client, deployment, current: { config, build }, ramping });
    } catch (error) {
      if (stopping.aborted) return;
      const reason = reasonOf(error);
      const said = notCurrent.met(reason);
      if (said) log.error({ build: build.id, reason, ...said }, 'cannot make this build the current one; trying again');
      void attempt();
    }
  };
  await attempt();
  return () => isCurrent;
}

/** From now on, what the intake accepts goes to Temporal. */
function openGateway(
  { config, queues, build, first, knowledge, versions, gateway, temporal, mayWrite, log }: IncidentsParts,
  { begun, isCurrent }: { readonly begun: BegunBuilds; readonly isCurrent: () => boolean },
): void {
  const { client } = temporal;
  gateway.open(
    temporalGateway({
      client,
      taskQueue: queues.cell,
      begins: (id, start): Beginning => {
        const contains = start.batch.alerts.some((alert) => alert.pod && isContainedAtOnce(alert));
        if (contains) first.expect(incidentIdOf(start.subject));
        const chosen = versions.of(id);
        const isRamped = chosen.build.id !== build.id;
        const buildId = isRamped ? chosen.build.id : begun.newest.id;
        const { subject } = start;
        const isObserved = !mayWrite(subject.kind === 'workload' ? subject.namespace : undefined);
        const settings = { ...settingsOf(chosen.config, queues), ...(isObserved && asObserved), build: buildId };
        const input: IncidentInput = { start, settings };
        return {
          input,
          build: buildId,
          // Pinned by name, because anyone who can reach Temporal can change its current build. Until Temporal knows ours, the start is refused and retried.
          pinnedTo: { deploymentName: deploymentName(config.cluster), buildId },
          mayBeEager: isCurrent() && buildId === build.id,
        };
      },
      mayRun: (id, first, run) => knowledge.starts.mayRunOn(id, first, run),
      wasBegun: beginningsKnownTo(client, knowledge.starts),
      log,
    }),
  );
}

/** Only triggers an alarm: a pod that no incident holds stays contained. */
async function isHeld(client: Client, incident: string, uid: string): Promise<boolean> {
  // The lease on a workload's pods names the workload.
  const own = (await leasesOf(client, incident)).filter(
    ({ target, action }) => target.uid === uid || action === quarantineWorkload.name,
  );
  return own.some(({ state }) => state !== 'released' && state !== 'gone');
}

/** A run that is gone, was reset or has been begun again knows of no release: that is no confirmation of one. */
async function releaseSaid(client: Client, incident: string, step: string): Promise<ReleaseSaid> {
  const lease = (await leasesOf(client, incident)).find(({ stepKey }) => stepKey === step);
  if (lease?.state === 'releasing') return 'being released';
  return lease?.state === 'released' || lease?.state === 'gone' ? 'released' : 'not released';
}

export async function leasesOf(client: Client, incident: string): Promise<readonly Lease[]> {
  try {
    const handle = client.workflow.getHandle(incident);
    const ask = () => handle.query<IncidentState>(incidentNames.stateQuery);
    return (await client.withDeadline(Date.now() + askMs, ask)).leases;
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return [];
    throw error;
  }
}

/** Neither tickets nor pages, and no question to people. */
const asObserved = { observed: true, followUp: { tickets: false, pages: false } } as const;

function settingsOf(config: Config, queues: ReturnType<typeof queuesOf>): IncidentSettings {
  // Connections are cut first: probing takes longer, and says nothing about connections that were open.
  // An incident says so of those that are turned on, but cannot work.
  const cannotWork = (config.leftOut ?? []).flatMap(({ action }) => action ?? []);
  const turnedOn: readonly string[] = [...config.actions.optIn, ...cannotWork];
  const afterQuarantine = ['cutConnections', 'probeQuarantine'].filter((name) => turnedOn.includes(name));
  return {
    queues,
    configuration: config.fileSha256,
    playbooks: askingOf(config).playbooks.map(({ id }) => id),
    params: config.playbooks.params,
    levels: levelsOfIncidents(config),
    followUp: followUpOf(config),
    protectedNamespaces: config.guardrails.protectedNamespaces,
    ...(config.stepUp && { stepUp: { reaches: config.stepUp.reaches } }),
    evidenceDeadlineMs: config.evidence.deadlineMinutes * 60_000,
    lingerMs: config.incidents.lingerSeconds * 1_000,
    maxBodies: config.incidents.maxBodies,
    ...(config.incidents.posture && { posture: true as const }),
    ...(config.incidents.effectChecks.length > 0 && {
      effectChecksMs: config.incidents.effectChecks.map((minutes) => minutes * 60_000),
    }),
    ...(config.actions.optIn.includes(countConnections.name) && { countsConnections: true as const }),
    ...(afterQuarantine.length > 0 && { afterQuarantine }),
    unavailable: [...new Set([...unavailableActions(config), ...cannotWork])],
  };
}
