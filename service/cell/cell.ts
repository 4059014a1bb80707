import { join } from 'node:path';
import type { Worker } from '@temporalio/worker';
import type { IncidentListener } from '../../activities/chokepoint/cell.ts';
import { cellContainsFirst } from '../../activities/chokepoint/containment-first.ts';
import type { OwnSteps } from '../../activities/chokepoint/own-steps.ts';
import type { StepListener } from '../../core/action/step.ts';
import { namingActors } from '../../core/alert/actors.ts';
import { ownConfidences } from '../../core/assessment/rule-confidence.ts';
import type { StepOutcome } from '../../core/cluster/object-event.ts';
import type { AskingIn } from '../../core/decide/asking.ts';
import type { NoveltyStore } from '../../core/novelty/novelty.ts';
import { controlIdOf } from '../../core/orders/order.ts';
import type { ActiveRestraint, Restrainable } from '../../core/orders/restraint.ts';
import { askedFacts } from '../../core/playbook/alert-stamps.ts';
import { answeredBy } from '../../core/playbook/answering.ts';
import { readBaseline } from '../../integrations/baseline-file.ts';
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
import { createLateGateway } from '../intake/send/late-gateway.ts';
import { type Intake, sourceOf, startIntake } from '../intake/start.ts';
import { openKeyRegister } from '../process/evidence.ts';
import type { Logger } from '../process/log.ts';
import type { RightsWatch } from '../process/rights-watch.ts';
import { levelsOfIncidents, type RememberedNotes } from '../process/rules.ts';
import type { Tracing } from '../process/telemetry/tracing.ts';
import { enabledActions } from '../rbac/enabled.ts';
import { storeBuild, type WorkflowBuild } from '../temporal/bundle/bundle.ts';
import type { TemporalConnected } from '../temporal/link.ts';
import { haltedRuns } from '../temporal/runner/halted-runs.ts';
import { deploymentName } from '../temporal/versions.ts';
import { hasHandsFull } from '../temporal/workers.ts';
import { CellStamps, imageIn, rollingOutIn, runningIn, tellingFacts } from './alert-stamps.ts';
import { CellAssessor, heldBackBy, policiesOf } from './assessing.ts';
import type { BegunBuilds } from './builds/begun-builds.ts';
import { eitherOf, IncidentVersions } from './builds/incident-versions.ts';
import { ContainedPods, tellingDecided, withDecided } from './contained-pods.ts';
import { HeldObjects } from './containment/held-objects.ts';
import { HoldContainment } from './containment/hold-containment.ts';
import { createCellControl, expectedSensors } from './control/control.ts';
import { Pace } from './control/follow.ts';
import type { PromotedPacks } from './control/promoted-packs.ts';
import { EffectBook } from './effect-book.ts';
import { HarmlessAnswers } from './harmless-answers.ts';
import { HeadStarts } from './head-starts.ts';
import { ObservedPacks } from './observed-packs.ts';
import { OpenIncidents, remembering } from './open/open-incidents.ts';
import { hearingReruns, RunWatch } from './open/run-watch.ts';
import { type Cluster, createCellPool, watchLog } from './pools/cluster.ts';
import type { ClusterWatch } from './pools/cluster-watch.ts';
import type { OwnKnowledge } from './pools/durable-memory.ts';
import { mayWriteIn } from './pools/write-barrier.ts';
import { PostureLooks } from './posture-look.ts';
import { reportInCluster } from './resources/report-mirror.ts';
import { hearingQuestions, type ResourceMirror, showInCluster } from './resources/resource-mirror.ts';
import { ScheduledRuns } from './scheduled-runs.ts';
import { type IncidentsParts, leasesOf, startIncidents } from './start-incidents.ts';
import { followSchedules } from './temporal-schedules.ts';

interface CellParts extends Pick<IncidentsParts, 'queues' | 'build' | 'ramping' | 'isWatched' | 'runWorker' | 'first'> {
  readonly config: Config;
  readonly secrets: Secrets;
  readonly cluster: Cluster;
  readonly watch: ClusterWatch;
  readonly steps: OwnSteps;
  readonly knowledge: OwnKnowledge;
  readonly rights: RightsWatch;
  readonly tracing?: Tracing | undefined;
  readonly log: Logger;
}

interface RunningCell {
  readonly url: string;
  /** Metrics of its intake. */
  readonly metrics: Metrics;
  /** Returns the freeze or observe mode that applies to a step, for pools that share this process. */
  readonly restraintOn: (step: Restrainable) => ActiveRestraint | undefined;
  /** Receives the outcomes of steps in pools. */
  readonly heard: StepListener;
  /** Decides which pack versions run. Absent: none comes from the store of releases. */
  readonly packs?: PromotedPacks;
  /** Starts the incidents' workers; resolves when what the intake accepts goes to Temporal. */
  work(temporal: TemporalConnected): Promise<void>;
  /**
   * Makes new incidents begin with another build that has the same envelopes. Open incidents stay on their own. Returns false if it cannot: before the
   * incidents' workers run, while two versions of a pack run, or if Temporal does not learn of the new worker. Never rejects.
   */
  adopt(build: WorkflowBuild): Promise<boolean>;
  /** Closes the intake: alerts it accepted are handed over, or stay in the spool. */
  stop(): Promise<void>;
  /** Call after the workers have stopped. */
  close(): Promise<void>;
}

/** Starts the cell. Its intake is open at once: alerts accepted before Temporal and the workers are ready wait in the spool. */
export async function startCell(parts: CellParts): Promise<RunningCell> {
  const { config, secrets, cluster, watch, knowledge, log } = parts;
  const build = storeBuild(parts.build, config.stateDir);
  const ramping = parts.ramping && { ...parts.ramping, build: storeBuild(parts.ramping.build, config.stateDir) };
  // Orders come through Temporal, which is queried only once the intake is open.
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
    decided: (question, answer) => {
      observed?.decided(question, answer);
      answers.decided(question, answer);
    },
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
    first: parts.first,
    alsoTell,
    listener,
    log,
  });
  // Only after all keys are read: a cell that cannot start changes nothing.
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
      log: watchLog(log),
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
    ...hearingReruns(control.activities, (run, order) => runs.ordered(run, order)),
  };
  const activities = hearingQuestions(pace.following(own, controlIdOf(config.cluster)), (incident) => mirror?.hears(incident));
  const open = new OpenIncidents({
    kept: knowledge.open,
    box: createBox({ keys: secrets.codecKeys }),
    asDecided: (alert) => withDecided(alert, pods),
    log,
  });
  const answers = new HarmlessAnswers({
    keeper: knowledge.harmlessAnswers,
    alertsOf: (incident, run) => open.alertsOf(incident, run),
    imageOf: imageIn(watch.view),
    onAttack: (alerts) => assessor.unlearn(alerts),
  });
  const runs = new RunWatch({
    kept: knowledge.open,
    open,
    starts: knowledge.starts,
    judgements: knowledge.judgements,
    records: knowledge.records,
    note: (incident, note) => intake.note(incident, note),
    begunWith: (incident) => {
      const buildId = knowledge.incidents.buildOf(incident);
      return buildId === undefined ? undefined : { deploymentName: deploymentName(config.cluster), buildId };
    },
    tellHalted: (report) => control.intake.setAside(report),
    playbooksOf: (incident) => knowledge.incidents.of(incident).playbooks,
    containedBy: (incident) => pods.heldBy(incident),
    setAside: haltedRuns,
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
  const { podsOf } = runningIn(watch.view);
  const assessor = new CellAssessor({
    stateDir: config.stateDir,
    heldBack: heldBackBy(config, {
      playbooks: versions.playbooks,
      levels: levelsOfIncidents(config),
      podsOf,
      held: () => pods.counted(),
      restraintOn,
    }),
    policyOf: policiesOf(config, { playbooks: versions.playbooks, view: watch.view }),
    own: ownConfidences(config.sensors, versions.playbooks),
    baseline: config.response.baseline === undefined ? undefined : readBaseline(config.response.baseline),
    podsOf,
    isContained: (uid) => pods.held().has(uid),
    observedRelease: (uid) => pods.observed(uid),
    isRollingOut: rollingOutIn(watch.view),
    answeredHarmless: (alert) => answers.of(alert),
    cellKey: watch.cellKey,
    box: createBox({ keys: secrets.codecKeys }),
    log,
  });
  const stamps = new CellStamps({
    playbooks: versions.playbooks,
    counts: knowledge.alertCounts,
    awaited: knowledge.awaited,
    novelty: noveltyOf(config, { kept: knowledge.novelty, view: watch.view }),
    written: () => knowledge.written(),
    assessed: (alert, nowMs) => assessor.assessed(alert, nowMs),
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
    isAnswered: answeredBy(enabled),
    screen: { suppressions: book, steps: control.steps },
    silence: { expected: expectedSensors(config), view: watch.view },
    storm: { ...config.intake.storm, tell: (report) => control.intake.storm(report) },
    reports: {
      open: () => open.report(),
      standingStill: () => runs.standingStill(),
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
  assessor.start();
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
      const mayWrite = mayWriteIn(config, () => watch.view);
      const { client } = temporal;
      const { signal } = stopping;
      begun = await startIncidents({
        ...parts,
        build,
        ramping,
        workers,
        versions,
        activities: { ...activities, runDueSchedules: () => scheduled.look() },
        control,
        pace,
        gateway,
        headStarts,
        hold,
        temporal,
        mayWrite,
        stopping: signal,
      });
      // Open incidents are followed from when new ones can be started.
      observed?.resume();
      void runs.follow({ client, gateway: heard, signal });
      void knowledge.refusedReleases.watch({ leasesOf: (incident) => leasesOf(client, incident), signal });
      const containments = () => hold.containments();
      mirror = showInCluster({ config, api: cluster.api, client, knowledge, containments, mayWrite, log, signal });
      reportInCluster({ config, api: cluster.api, view: watch.view, knowledge, mayWrite, log, signal });
      const { cell: taskQueue } = parts.queues;
      void followSchedules({ client, cluster: config.cluster, taskQueue, playbooks: scheduled.playbooks, log, signal });
    },
    adopt: async (next) => begun !== undefined && !ramping && (await begun.adopt(storeBuild(next, config.stateDir))),
    stop: async () => {
      stopping.abort();
      await Promise.all([hold.stop(), stamps.stop(), scheduled.stop()]);
      await intake.stop();
      await assessor.stop();
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

/** Raw alerts contain text from attackers and commands, including secrets: on disk they are only stored encrypted. */
function sealRaw({ codecKeys }: Secrets): Parameters<typeof startIntake>[0]['seal'] {
  const box = createBox({ keys: codecKeys });
  return (bytes, aad) => box.seal(bytes, aad);
}
