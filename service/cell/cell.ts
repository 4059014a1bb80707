import { totalmem } from 'node:os';
import { join } from 'node:path';
import { type Client, WorkflowNotFoundError } from '@temporalio/client';
import type { Worker } from '@temporalio/worker';
import type { IncidentListener } from '../../activities/chokepoint/cell.ts';
import { type ContainmentFirst, cellContainsFirst } from '../../activities/chokepoint/containment-first.ts';
import type { OwnSteps } from '../../activities/chokepoint/own-steps.ts';
import type { CellActivities, IncidentSettings, LookActivities, StepListener } from '../../core/action/step.ts';
import { countConnections, quarantineWorkload } from '../../core/actions/index.ts';
import { namingActors } from '../../core/alert/actors.ts';
import { atLeast } from '../../core/alert/severity.ts';
import type { StepOutcome } from '../../core/cluster/object-event.ts';
import type { AskingIn } from '../../core/decide/asking.ts';
import type { ControlActivities, EvidenceActivities } from '../../core/decide/control.ts';
import { incidentIdOf, incidentNames } from '../../core/incident/incident.ts';
import type { IncidentInput } from '../../core/incident/incident-input.ts';
import type { IncidentState } from '../../core/incident/incident-state.ts';
import type { Lease } from '../../core/incident/lease.ts';
import type { NoveltyStore } from '../../core/novelty/novelty.ts';
import { controlIdOf } from '../../core/orders/order.ts';
import type { ActiveRestraint, Restrainable } from '../../core/orders/restraint.ts';
import { askedFacts } from '../../core/playbook/alert-stamps.ts';
import type { ScheduleActivities } from '../../core/playbook/scheduled-runs.ts';
import { createBox } from '../../integrations/crypto-box/box.ts';
import type { Metrics } from '../../integrations/http-door.ts';
import { lastManagerOfLabels } from '../../integrations/kubernetes/pods/pods.ts';
import { warningsSince } from '../../integrations/kubernetes/pods/warnings.ts';
import { claimedByLease } from '../../integrations/kubernetes/run-claims.ts';
import type { ClusterView } from '../../integrations/kubernetes/watch/cluster-view.ts';
import { createSubjectResolver } from '../../integrations/kubernetes/watch/resolver.ts';
import type { Config } from '../config/load.ts';
import { enabledPlaybooks } from '../config/packs.ts';
import type { Secrets } from '../config/secrets.ts';
import { followUpOf } from '../config/sections/ticket-sections.ts';
import { unavailableActions } from '../config/unavailable.ts';
import { createLateGateway, type LateGateway } from '../intake/send/late-gateway.ts';
import { type Beginning, temporalGateway } from '../intake/send/temporal-gateway.ts';
import { type Intake, sourceOf, startIntake } from '../intake/start.ts';
import { openKeyRegister } from '../process/evidence.ts';
import { type Logger, reasonOf } from '../process/log.ts';
import type { RightsWatch } from '../process/rights-watch.ts';
import { askingOf, type RememberedNotes } from '../process/rules.ts';
import type { Tracing } from '../process/telemetry/tracing.ts';
import { enabledActions } from '../rbac/enabled.ts';
import { storeBuild, type WorkflowBuild } from '../temporal/bundle/bundle.ts';
import type { TemporalConnected } from '../temporal/link.ts';
import { RepeatedTrouble } from '../temporal/repeated-trouble.ts';
import { deploymentName, makeCurrent } from '../temporal/versions.ts';
import { warmUp } from '../temporal/warm-up.ts';
import { cachedWorkflows, createCellWorker, hasHandsFull, type queuesOf, type WorkerBase } from '../temporal/workers.ts';
import { CellStamps, runningIn, tellingFacts } from './alert-stamps.ts';
import { BegunBuilds } from './begun-builds.ts';
import { ContainedPods, tellingDecided, withDecided } from './contained-pods.ts';
import { HeldObjects } from './containment/held-objects.ts';
import type { ReleaseSaid } from './containment/held-resources.ts';
import { HoldContainment } from './containment/hold-containment.ts';
import { type CellControl, createCellControl, expectedSensors } from './control/control.ts';
import { expireEvidence } from './control/evidence-window.ts';
import { followControl, Pace } from './control/follow.ts';
import type { PromotedPacks } from './control/promoted-packs.ts';
import { DurableBuilds } from './durable-builds.ts';
import { EffectBook } from './effect-book.ts';
import { HeadStarts } from './head-starts.ts';
import { eitherOf, followRamp, IncidentVersions, type RampingVersions, tellBuild, tellBuilds } from './incident-versions.ts';
import { ObservedPacks } from './observed-packs.ts';
import { runOlderBuilds } from './older-builds.ts';
import { OpenIncidents, remembering } from './open-incidents.ts';
import { type Cluster, createCellPool } from './pools/cluster.ts';
import type { ClusterWatch } from './pools/cluster-watch.ts';
import type { OwnKnowledge } from './pools/durable-memory.ts';
import { PostureLooks } from './posture-look.ts';
import { reportInCluster } from './resources/report-mirror.ts';
import { hearingQuestions, type ResourceMirror, showInCluster } from './resources/resource-mirror.ts';
import { beginningsKnownTo } from './run-ends.ts';
import { ScheduledRuns } from './scheduled-runs.ts';
import { followSchedules } from './temporal-schedules.ts';

interface CellParts {
  readonly config: Config;
  readonly secrets: Secrets;
  readonly cluster: Cluster;
  readonly watch: ClusterWatch;
  readonly steps: OwnSteps;
  readonly knowledge: OwnKnowledge;
  readonly queues: ReturnType<typeof queuesOf>;
  readonly build: WorkflowBuild;
  /** What some incidents begin with in its place. */
  readonly ramping?: RampingVersions | undefined;
  /** Its packs are being written: nobody waits for the first alert to be as fast as the next. */
  readonly isWatched: boolean;
  readonly runWorker: (worker: Worker) => void;
  readonly first: ContainmentFirst;
  readonly rights: RightsWatch;
  readonly tracing?: Tracing | undefined;
  readonly log: Logger;
}

interface RunningCell {
  readonly url: string;
  /** Of its intake. */
  readonly metrics: Metrics;
  /** For the pools that share this process: which freeze or observe mode is on a step. */
  readonly restraintOn: (step: Restrainable) => ActiveRestraint | undefined;
  /** Hears what came of steps in pools. */
  readonly heard: StepListener;
  /** Which versions of packs are to run. Absent: none comes from the store of releases. */
  readonly packs?: PromotedPacks;
  /** Starts the incidents' workers; resolves when what the intake takes goes to Temporal. */
  work(temporal: TemporalConnected): Promise<void>;
  /**
   * Has new incidents begin with another build, whose envelopes are the same. What is open stays on its own. False where it cannot: before the incidents'
   * workers run, where two versions of a pack do, or where Temporal does not hear of the new worker. Never rejects.
   */
  adopt(build: WorkflowBuild): Promise<boolean>;
  /** Closes the intake: what it took is handed over, or stays in the spool. */
  stop(): Promise<void>;
  /** After the workers. */
  close(): Promise<void>;
}

const currentWithinMs = 15_000;
const askMs = 10_000;

/** The cell. Its intake is open at once: what it takes before Temporal and the workers are there waits in the spool. */
export async function startCell(parts: CellParts): Promise<RunningCell> {
  const { config, secrets, cluster, watch, knowledge, log } = parts;
  const build = storeBuild(parts.build, config.stateDir);
  const ramping = parts.ramping && { ...parts.ramping, build: storeBuild(parts.ramping.build, config.stateDir) };
  // Orders come by Temporal, which is asked only when the intake is open.
  let raise: Intake['raise'] | undefined;
  const control = await createCellControl({
    config,
    keys: await openKeyRegister({ config, secrets }),
    steps: parts.steps,
    cellKey: watch.cellKey,
    votes: knowledge.votes,
    incidents: knowledge.incidents,
    raise: async (alert) => {
      const { pod } = alert;
      if (pod && watch.view.ready() && !watch.view.pod(pod.namespace, pod.name))
        return { reason: `The cluster has no pod ${pod.namespace}/${pod.name}.` };
      return (await raise?.(alert)) ?? { reason: 'The intake is not open yet: order it again in a moment.' };
    },
    secrets,
    ramping: parts.ramping,
    log,
  });
  const { steps, book } = control;
  const versions = new IncidentVersions({
    current: { config, build },
    ramping,
    promotions: () => book.promotions(),
    incidents: knowledge.incidents,
    openRun: (incident) => knowledge.open.head(incident)?.first,
    cellKey: watch.cellKey,
  });
  const playbooksOf = (incident: string) => versions.playbooksOf(incident);
  const restraintOn: RunningCell['restraintOn'] = (step) => book.on(step);
  const pods = new ContainedPods(join(config.stateDir, 'contained'), knowledge.alertKinds);
  const notes: RememberedNotes = { of: (uid) => pods.get(uid)?.held?.note, uids: () => pods.held() };
  const knowing = { ...watch, notes };
  let mirror: ResourceMirror | undefined;
  const alsoTell = (outcome: StepOutcome): void => mirror?.tell(outcome);
  const asking: AskingIn = (incident) => versions.asking(incident);
  let observed: ObservedPacks | undefined;
  const listener: IncidentListener = {
    decided: (question, answer) => observed?.decided(question, answer),
    failed: (call, what, code) => observed?.failed(call, what, code),
    done: (call, output) => observed?.done(call, output),
  };
  const pool = await createCellPool({
    config,
    secrets,
    cluster,
    watch: knowing,
    steps,
    restraintOn,
    knowledge,
    asking,
    alsoTell,
    listener,
    log,
  });
  // Once all its keys are read: who cannot start changes nothing.
  await cluster.keepPolicies?.();
  const enabled = enabledPlaybooks(config);
  const asked = askedFacts(versions.playbooks);
  const headStarts = new HeadStarts({
    chokepoint: pool.chokepoint,
    playbooksOf,
    view: watch.view,
    cellKey: watch.cellKey,
    pods,
    first: parts.first,
    log,
  });
  const gateway = createLateGateway();
  const hold = new HoldContainment({
    chokepoint: pool.chokepoint,
    view: watch.view,
    cellKey: watch.cellKey,
    pods,
    objects: new HeldObjects({
      api: cluster.api,
      cellKey: watch.cellKey,
      actions: enabledActions(eitherOf(config, ramping)).filter((action) => action.pool === 'cell'),
      keeper: knowledge.heldObjects,
      log: (event) => log.debug({ ...event }, 'watch'),
    }),
    madePolicies: knowledge.madePolicies,
    landed: knowledge.landed,
    denyTier: watch.denyTier,
    exceptions: config.actions.quarantine,
    toolsImage: config.forensics?.toolsImage,
    note: (incident, note) => intake.note(incident, note),
    lastManager: (pod) => lastManagerOfLabels(cluster.api, pod),
    log,
  });
  const workers = new Set<Worker>();
  const isBusy = (): boolean => [...workers].some(hasHandsFull);
  const effects = new EffectBook({
    view: watch.view,
    cellKey: watch.cellKey,
    containments: (uids) => hold.containments(uids),
    warnings: (of) => warningsSince({ ...of, api: cluster.api }),
    steps,
    quarantines: knowledge.watchedQuarantines,
    alerts: knowledge.alertsOfPods,
    isBusy,
    cells: config.guardrails.cells,
    log,
  });
  const postures = new PostureLooks({ api: cluster.api, view: watch.view, chokepoint: pool.chokepoint, steps });
  const pace = new Pace();
  const own = {
    ...effects.following(hold.givingBack(headStarts.adopting(cellContainsFirst(pool.activities, parts.first)))),
    ...effects.activities,
    ...postures.activities,
    ...control.activities,
  };
  const activities = hearingQuestions(pace.following(own, controlIdOf(config.cluster)), (incident) => mirror?.hears(incident));
  const open = new OpenIncidents({
    kept: knowledge.open,
    box: createBox({ keys: secrets.codecKeys }),
    starts: knowledge.starts,
    judgements: knowledge.judgements,
    records: knowledge.records,
    asDecided: (alert) => withDecided(alert, pods),
    note: (incident, note) => intake.note(incident, note),
    begunWith: (incident) => {
      const buildId = knowledge.incidents.buildOf(incident);
      return buildId === undefined ? undefined : { deploymentName: deploymentName(config.cluster), buildId };
    },
    log,
  });
  control.evidence.isOpen = (incident, run) => open.isOpen(incident, run);
  const heard = remembering(gateway, { incidents: knowledge.incidents, open, playbooksOf });
  const packsOfStore = control.packs;
  observed =
    packsOfStore &&
    new ObservedPacks({
      packs: config.releases.packs,
      promotions: () => book.promotions(),
      releases: () => packsOfStore.releases(),
      running: enabled,
      params: config.playbooks.params,
      hasTickets: followUpOf(config).tickets,
      note: (incident, note) => intake.note(incident, note),
      keeper: knowledge.observed,
      box: createBox({ keys: secrets.codecKeys }),
      stateDir: config.stateDir,
      log,
    });
  const stamps = new CellStamps({
    playbooks: versions.playbooks,
    counts: knowledge.alertCounts,
    awaited: knowledge.awaited,
    novelty: noveltyOf(config, { kept: knowledge.novelty, view: watch.view }),
    written: () => knowledge.written(),
    box: createBox({ keys: secrets.codecKeys }),
    log,
  });
  const scheduled = new ScheduledRuns({
    cluster: config.cluster,
    playbooks: enabled,
    params: config.playbooks.params,
    kept: knowledge.scheduledRuns,
    written: () => knowledge.written(),
    view: watch.view,
    claim:
      config.guardrails.cells > 1
        ? claimedByLease({
            api: cluster.api,
            namespace: config.kubernetes.ownNamespace,
            cluster: config.cluster,
            holder: sourceOf(config.intake.spool.dir),
          })
        : undefined,
    log,
  });
  const stopping = new AbortController();
  const intake = await startIntake({
    listen: config.intake.listen,
    tokens: secrets.intakeTokens,
    signatures: secrets.intakeSignatures,
    senders: config.intake.senders,
    tls: config.intake.tls,
    spoolDir: config.intake.spool.dir,
    maxBytes: config.intake.spool.maxBytes,
    cluster: config.cluster,
    severities: config.sensors,
    resolver: tellingFacts(tellingDecided(namingActors(createSubjectResolver(watch), config.roster), pods), watch.view, asked),
    gateway: observed?.watching(heard) ?? heard,
    headStart: headStarts,
    isBusy,
    stamps: {
      heard: (alert) => stamps.heard(alert),
      stamp: (alert, ...of) => {
        effects.heard(alert);
        return stamps.stamp(alert, ...of);
      },
    },
    screen: { suppressions: book, steps: control.steps },
    silence: { expected: expectedSensors(config), view: watch.view },
    storm: { ...config.intake.storm, tell: (report) => control.intake.storm(report) },
    reports: {
      open: () => open.report(),
      standingStill: () => open.standingStill(),
      releasesRefused: () => knowledge.refusedReleases.all(),
      tell: (report) => control.intake.report(report),
    },
    seal: sealRaw(secrets),
    missingRights: () => parts.rights.missing(),
    tracing: parts.tracing,
    log,
  });
  let begun: BegunBuilds | undefined;
  raise = intake.raise;
  stamps.watch(intake.tell);
  scheduled.open(intake.tell);
  hold.start();
  effects.start();
  return {
    url: intake.url,
    metrics: intake.metrics,
    restraintOn,
    heard: listener,
    ...(control.packs && { packs: control.packs }),
    work: async (temporal) => {
      begun = await work({
        parts: { ...parts, build, ramping },
        workers,
        versions,
        activities: { ...activities, runDueSchedules: () => scheduled.look() },
        control,
        pace,
        gateway,
        headStarts,
        hold,
        follow: (client) => {
          observed?.resume();
          void open.watch({ client, gateway: heard, signal: stopping.signal });
          void knowledge.refusedReleases.watch({
            leasesOf: (incident) => leasesOf(client, incident),
            signal: stopping.signal,
          });
          const containments = () => hold.containments();
          const { signal } = stopping;
          mirror = showInCluster({ config, api: cluster.api, client, knowledge, containments, log, signal });
          reportInCluster({ config, api: cluster.api, view: watch.view, knowledge, log, signal });
          const { cell: taskQueue } = parts.queues;
          void followSchedules({
            client,
            cluster: config.cluster,
            taskQueue,
            playbooks: scheduled.playbooks,
            log,
            signal: stopping.signal,
          });
        },
        temporal,
        stopping: stopping.signal,
      });
    },
    adopt: async (next) => begun !== undefined && !ramping && (await begun.adopt(storeBuild(next, config.stateDir))),
    stop: async () => {
      stopping.abort();
      await Promise.all([hold.stop(), stamps.stop(), scheduled.stop()]);
      await intake.stop();
      effects.stop();
    },
    close: () => headStarts.stop(),
  };
}

function noveltyOf(
  { novelty }: Config,
  { kept, view }: { readonly kept: NoveltyStore; readonly view: ClusterView },
): ConstructorParameters<typeof CellStamps>[0]['novelty'] {
  if (!novelty.enabled) return undefined;
  const { learningHours, rolloutHours, raisesSeverity } = novelty;
  const hour = 3_600_000;
  return { kept, learningMs: learningHours * hour, rolloutMs: rolloutHours * hour, raisesSeverity, ...runningIn(view) };
}

/** The incidents' worker, one more for each older build with open incidents, and last, when all can answer, the way in. */
async function work(options: {
  readonly parts: CellParts;
  /** Those that run. */
  readonly workers: Set<Worker>;
  readonly activities: CellActivities & LookActivities & ControlActivities & EvidenceActivities & ScheduleActivities;
  readonly versions: IncidentVersions;
  readonly control: CellControl;
  readonly pace: Pace;
  readonly gateway: LateGateway;
  readonly headStarts: HeadStarts;
  readonly hold: HoldContainment;
  /** What is open is followed from when incidents can be started. */
  readonly follow: (client: Client) => void;
  readonly temporal: TemporalConnected;
  readonly stopping: AbortSignal;
}): Promise<BegunBuilds> {
  const { parts, workers, activities, versions, control, pace, gateway, headStarts, hold, follow, temporal, stopping } = options;
  const { config, queues, build, ramping, runWorker, log } = parts;
  const { cluster } = config;
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
  const { stateDir } = config;
  const builds = new DurableBuilds({ config, secrets: parts.secrets, log });
  void builds.keep(build, stopping);
  const fetch = (id: string) => builds.fetch(id);
  if (ramping) {
    // Apart, as older builds are: whoever is asked for a first task at once has the current build.
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
      // For `builds list`, and for what begins without being told with which one. Nobody waits for it.
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
    stateDir,
    fetch,
    start: (which) => begun.start(which),
    log,
    signal: stopping,
  });

  let isCurrent = false;
  const notCurrent = new RepeatedTrouble();
  const becomeCurrent = async (): Promise<void> => {
    try {
      const of = { client, deployment, buildId: build.id, withinMs: currentWithinMs, signal: stopping };
      if (await makeCurrent(of))
        log.warn(
          { deployment },
          'somebody who reaches Temporal had it hear from nobody else which build is the current one: that is taken back',
        );
      isCurrent = true;
      void tellBuilds({ client, deployment, current: { config, build }, ramping });
    } catch (error) {
      if (stopping.aborted) return;
      const reason = reasonOf(error);
      const said = notCurrent.met(reason);
      if (said)
        log.error({ build: build.id, reason, ...said }, 'this build could not be made the current one; it is tried again');
      void becomeCurrent();
    }
  };
  await becomeCurrent();
  if (isCurrent && !parts.isWatched && !(await warmUp({ client, cluster, taskQueue: queues.cell })))
    log.warn({}, 'the first containment after this start may take a second longer');
  control.intake.open(client);
  control.evidence.open(client);
  void followControl({
    client,
    cluster,
    queues,
    deployment,
    buildId: build.id,
    book: control.book,
    signIns: control.signIns,
    records: parts.knowledge.records,
    wasBegun: beginningsKnownTo(client, parts.knowledge.starts),
    pace,
    log,
    signal: stopping,
  });
  void expireEvidence({ client, cluster, signal: stopping });
  headStarts.watch((incident, uid) => isHeld(client, incident, uid));
  hold.ask((incident, step) => releaseSaid(client, incident, step));
  gateway.open(
    temporalGateway({
      client,
      taskQueue: queues.cell,
      begins: (id, start): Beginning => {
        const contains = start.batch.alerts.some(
          ({ pod, severity }) => pod && atLeast(severity, config.guardrails.automaticFrom),
        );
        if (contains) parts.first.expect(incidentIdOf(start.subject));
        const chosen = versions.of(id);
        const isRamped = chosen.build.id !== build.id;
        const buildId = isRamped ? chosen.build.id : begun.newest.id;
        const input: IncidentInput = { start, settings: { ...settingsOf(chosen.config, queues), build: buildId } };
        return {
          input,
          build: buildId,
          // By name: what Temporal calls the current one is what somebody who reaches it has said last. Until it knows ours, the start is refused, and tried again.
          pinnedTo: { deploymentName: deployment, buildId },
          mayBeEager: isCurrent && buildId === build.id,
        };
      },
      mayRun: (id, first, run) => parts.knowledge.starts.mayRunOn(id, first, run),
      wasBegun: beginningsKnownTo(client, parts.knowledge.starts),
      log,
    }),
  );
  follow(client);
  return begun;
}

/** Only an alarm follows from it: a pod that no incident holds stays contained. */
async function isHeld(client: Client, incident: string, uid: string): Promise<boolean> {
  // The lease on a workload's pods names the workload.
  const own = (await leasesOf(client, incident)).filter(
    ({ target, action }) => target.uid === uid || action === quarantineWorkload.name,
  );
  return own.some(({ state }) => state !== 'released');
}

/** A run that is gone, was set back or has begun anew knows of no release: that is no word of one. */
async function releaseSaid(client: Client, incident: string, step: string): Promise<ReleaseSaid> {
  const lease = (await leasesOf(client, incident)).find(({ stepKey }) => stepKey === step);
  if (lease?.state === 'releasing') return 'being released';
  return lease?.state === 'released' ? 'released' : 'not released';
}

async function leasesOf(client: Client, incident: string): Promise<readonly Lease[]> {
  try {
    const handle = client.workflow.getHandle(incident);
    const ask = () => handle.query<IncidentState>(incidentNames.stateQuery);
    return (await client.withDeadline(Date.now() + askMs, ask)).leases;
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return [];
    throw error;
  }
}

/** Raw alerts hold what attackers and commands wrote, secrets too: on the disk they are only kept encrypted. */
function sealRaw({ codecKeys }: Secrets): Parameters<typeof startIntake>[0]['seal'] {
  const box = createBox({ keys: codecKeys });
  return (bytes, aad) => box.seal(bytes, aad);
}

function settingsOf(config: Config, queues: CellParts['queues']): IncidentSettings {
  // Cut first: to try it takes longer, and says nothing of what was open.
  const afterQuarantine = ['cutConnections', 'probeQuarantine'].filter((name) => config.actions.optIn.includes(name));
  return {
    queues,
    configuration: config.fileSha256,
    playbooks: askingOf(config).playbooks.map(({ id }) => id),
    params: config.playbooks.params,
    levels: config.incidents.levels.map(({ group, withinMinutes, page }) => ({
      group,
      withinMs: withinMinutes * 60_000,
      ...(page ? { page } : {}),
    })),
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
    unavailable: unavailableActions(config),
  };
}
