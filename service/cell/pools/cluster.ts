import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { createCellActivities, type IncidentListener } from '../../../activities/chokepoint/cell.ts';
import { type Chokepoint, createChokepoint } from '../../../activities/chokepoint/chokepoint.ts';
import type { ContainmentFirst } from '../../../activities/chokepoint/containment-first.ts';
import type { OwnSteps } from '../../../activities/chokepoint/own-steps.ts';
import type { ChokepointParts, WriteBarrier } from '../../../activities/chokepoint/parts.ts';
import { type PolicyView, policyOfStep } from '../../../activities/chokepoint/step-policy.ts';
import type { StepRegister } from '../../../activities/chokepoint/step-register.ts';
import { createWarrantIssuer, createWarrantRule } from '../../../activities/chokepoint/warrants.ts';
import { asFailure } from '../../../activities/failures.ts';
import type { CellActivities, WarrantActivities } from '../../../core/action/step.ts';
import { isSealedFor } from '../../../core/assessment/containment-seal.ts';
import { containedBySilence, sealHeard } from '../../../core/assessment/silence-seal.ts';
import { names } from '../../../core/cluster/labels.ts';
import { eventsOf, type StepOutcome } from '../../../core/cluster/object-event.ts';
import type { Question } from '../../../core/decide/approval.ts';
import type { AskingIn } from '../../../core/decide/asking.ts';
import type { IncidentRef } from '../../../core/incident/incident.ts';
import type { WorkloadLeft } from '../../../core/incident/workload-left.ts';
import type { SigningRole } from '../../../core/messages/sender.ts';
import { askedFacts } from '../../../core/playbook/alert-stamps.ts';
import { createKubernetesApi, type KubernetesApi } from '../../../integrations/kubernetes/client.ts';
import { guardedApi } from '../../../integrations/kubernetes/guarded-api.ts';
import type { ClusterAccess } from '../../../integrations/kubernetes/kubeconfig.ts';
import { EventWriter } from '../../../integrations/kubernetes/object-events.ts';
import { OpenConnections } from '../../../integrations/kubernetes/open-connections.ts';
import { DenyTierWatch } from '../../../integrations/kubernetes/policies/deny-tier.ts';
import { StandingPolicies } from '../../../integrations/kubernetes/policies/standing-policy.ts';
import { doneByLease } from '../../../integrations/kubernetes/run-claims.ts';
import type { WatchLog } from '../../../integrations/kubernetes/watch/reflector.ts';
import { WatchCache } from '../../../integrations/kubernetes/watch/watch-cache.ts';
import { workloadLeft } from '../../../integrations/kubernetes/watch/workload-left.ts';
import type { Config, Environment } from '../../config/load.ts';
import { enabledPlaybooks } from '../../config/packs.ts';
import type { Secrets } from '../../config/secrets.ts';
import { containmentsAtOnce } from '../../intake/send/contain-before-start.ts';
import { sourceOf } from '../../intake/start.ts';
import { clusterAccess } from '../../process/cluster-api.ts';
import { openEvidence, openEvidenceCheck } from '../../process/evidence.ts';
import { awaitPublicKeys, readRandomKey } from '../../process/keys/key-files.ts';
import { createVoteKeys } from '../../process/keys/vote-keys.ts';
import type { Logger } from '../../process/log.ts';
import { askingOf, createCensus, isProtected, noCensus, rulesOf } from '../../process/rules.ts';
import { createSignInReader } from '../../process/sign-ins.ts';
import { openRoleSigner, openTrust } from '../../process/trust.ts';
import { cellActions } from './cell-actions.ts';
import type { ClusterWatch } from './cluster-watch.ts';
import type { OwnKnowledge } from './durable-memory.ts';
import { forensicsActions } from './forensics-actions.ts';
import { readImageTrust } from './images.ts';
import { packsActions } from './packs-actions.ts';
import { rotationRules } from './rotation.ts';
import { secretsActions } from './secrets-actions.ts';
import { openDoor } from './upload-door.ts';
import { mayContainIn, mayWriteIn, ObservedPlaces } from './write-barrier.ts';

const firstListsMs = 10_000;

/** One cluster, reached with one account. */
export interface Cluster {
  readonly api: KubernetesApi;
  readonly access: ClusterAccess;
  /** Stops what `api` would write where the configuration only observes. */
  readonly writing: WriteBarrier;
  /** Only for the cell: the secrets pool's account may neither watch the cluster nor write policies. */
  readonly watch?: ClusterWatch;
  /** Only for the cell: writes the standing policies, and maintains them. Until it is called, nothing in the cluster is changed. */
  keepPolicies?(): Promise<void>;
  stop(): Promise<void>;
}

/** Writes what the watches of a cluster have met to a process's log. */
export function watchLog(log: Logger): WatchLog {
  return ({ level, ...event }) => log[level](event, 'watch');
}

/** Connects to the cluster; for the cell, waits until the watch cache has its first lists. */
export async function openCluster(options: {
  readonly config: Config;
  /** Includes the version of a pack that some incidents begin with. */
  readonly ramping?: Config | undefined;
  readonly env: Environment;
  readonly watches: boolean;
  /** Marks calls to the API server within a step as such. */
  readonly steps: OwnSteps;
  readonly log: Logger;
}): Promise<Cluster> {
  const { config, ramping, env, watches, steps, log } = options;
  const cellKey = watches ? await readRandomKey(config.keys.cellKeyFile) : undefined;
  const access = await clusterAccess({ config, env });
  let view: WatchCache | undefined;
  const writing = new ObservedPlaces(config, () => view);
  const direct = createKubernetesApi({ access, stamp: (request) => steps.stamp(request) });
  const api = guardedApi(direct, (call) => writing.refuse(call));
  if (!cellKey) return { api, access, writing, stop: async () => api.close() };
  const nodes = Object.values(config.sensors).some(({ daemonSet }) => daemonSet !== undefined);
  const { exposure: ingresses } = askedFacts([config, ...(ramping ? [ramping] : [])].flatMap((one) => enabledPlaybooks(one)));
  view = new WatchCache({ api, nodes, ingresses, log: watchLog(log) });
  // The intake opens even without the cluster: what cannot be resolved yet is kept, and asked about.
  await Promise.race([view.start(), sleep(firstListsMs, undefined, { ref: false })]);
  const policies = new StandingPolicies({
    api,
    view,
    watched: policyBelongsIn(config, view),
    exceptions: config.actions.quarantine,
    log: (event) => log.info(event, 'standing policy'),
  });
  const tier = new DenyTierWatch({
    api,
    changed: (found) =>
      log.info({ denyTier: found?.kind ?? 'none' }, 'denies the traffic of quarantined pods in addition to NetworkPolicies'),
  });
  // Its findings are for later plans: an API server that hangs must not hold up the start.
  void tier.start();
  const connections = new OpenConnections({ api, count: containmentsAtOnce });
  connections.start();
  return {
    api,
    access,
    writing,
    watch: { view, cellKey, denyTier: () => tier.current },
    keepPolicies: () => policies.start(),
    stop: async () => {
      connections.stop();
      await Promise.all([policies.stop(), tier.stop()]);
      await view.stop();
      api.close();
    },
  };
}

/**
 * Where the standing policy is written before anything needs it: where a pod may be contained at once. Elsewhere the containment that people approve writes it,
 * and it is kept as long as a pod there is contained.
 */
function policyBelongsIn(config: Config, view: WatchCache): (namespace: string) => boolean {
  const mayWrite = mayWriteIn(config, () => view);
  const mayContain = mayContainIn(config, () => view);
  const holdsPods = (namespace: string): boolean =>
    [...view.notedPods()].some((pod) => pod.namespace === namespace && pod.labels[names.quarantineLabel] === 'active');
  return (namespace) => isWatched(config, namespace) && (mayContain(namespace) || (mayWrite(namespace) && holdsPods(namespace)));
}

export function isWatched(config: Config, namespace: string): boolean {
  if (isProtected(config)(namespace)) return false;
  return config.watch.namespaces?.includes(namespace) ?? true;
}

interface PoolParts {
  readonly config: Config;
  readonly secrets: Secrets;
  readonly cluster: Cluster;
  /** Registers steps that sensors will see. */
  readonly steps?: StepRegister | undefined;
  /** Freezes and observe modes, if they are known. */
  readonly restraintOn?: ChokepointParts['restraintOn'] | undefined;
  readonly knowledge: OwnKnowledge;
  readonly asking: AskingIn;
  /** Containments of this process: what owners are told waits for them. */
  readonly first?: ContainmentFirst | undefined;
  /** Receives outcomes of steps, in addition to the owners of what was touched. */
  readonly alsoTell?: ((outcome: StepOutcome) => void) | undefined;
  readonly listener?: IncidentListener | undefined;
  readonly log: Logger;
  /** Called when the workers have finished what they began. */
  readonly atEnd?: (close: () => Promise<void>) => void;
}

/** The activities that Temporal calls, and the chokepoint behind them. */
interface PoolActivities {
  readonly activities: CellActivities & Partial<WarrantActivities>;
  readonly chokepoint: Chokepoint;
}

/** Creates the cell's activities: those that contain and those that keep. */
export async function createCellPool({
  config,
  secrets,
  cluster,
  watch,
  steps,
  restraintOn,
  knowledge,
  asking,
  first,
  alsoTell,
  listener,
  log,
}: PoolParts & { readonly watch: ClusterWatch }): Promise<PoolActivities> {
  const evidence = { ...(await openEvidence({ config, secrets })), clock: () => cluster.api.clock() };
  return poolOf({
    config,
    log,
    left: (incident) => workloadLeft({ view: watch.view, incident, at: new Date() }),
    actions: cellActions({ config, secrets, api: cluster.api, watch, evidence }),
    isAssessed: (text, podUid) => isSealedFor(text, { podUid, key: watch.cellKey, nowMs: Date.now() }),
    bySilence: (unanswered, of) => containedBySilence(unanswered, { ...of, key: watch.cellKey, nowMs: Date.now() }),
    hears: (question) => sealHeard(question, watch.cellKey, Date.now()),
    census: createCensus({ ...watch, windowMs: config.guardrails.capWindowMinutes * 60_000 }),
    hasEvidence: evidence.kept,
    steps,
    restraintOn,
    knowledge,
    asking,
    first,
    alsoTell,
    listener,
    role: 'cell',
    api: cluster.api,
    writing: cluster.writing,
    view: watch.view,
    ...(config.guardrails.cells > 1 && {
      stepsOfCells: doneByLease({
        api: cluster.api,
        namespace: config.kubernetes.ownNamespace,
        holder: sourceOf(config.intake.spool.dir),
        cellKey: watch.cellKey,
      }),
    }),
  });
}

/** Creates the secrets pool's activities, under an account that may do nothing else. The pool contains nothing, so it counts nothing. */
export async function createSecretsPool(parts: PoolParts): Promise<CellActivities> {
  const { config, secrets, cluster, steps, restraintOn, knowledge, asking, log } = parts;
  const hasEvidence = await openEvidenceCheck({ config, secrets });
  const actions = secretsActions({
    config,
    api: cluster.api,
    rules: rotationRules(config, secrets.rotation ?? { entries: [] }),
    trust: readImageTrust(config.images),
  });
  const own = { actions, census: noCensus, hasEvidence, role: 'secrets', api: cluster.api, writing: cluster.writing } as const;
  return (await poolOf({ config, log, steps, restraintOn, knowledge, asking, ...own })).activities;
}

/** Creates the forensics pool's activities: they work inside containers, and sign what they keep. The pool contains nothing, so it counts nothing. */
export async function createForensicsPool(parts: PoolParts): Promise<CellActivities> {
  const { config, secrets, cluster, steps, restraintOn, knowledge, asking, log, atEnd } = parts;
  const evidence = { ...(await openEvidence({ config, secrets })), clock: () => cluster.api.clock() };
  const door = await openDoor({ config, log });
  if (door) atEnd?.(() => door.close());
  const actions = forensicsActions({ config, api: cluster.api, access: cluster.access, evidence, door });
  const own = {
    actions,
    census: noCensus,
    hasEvidence: evidence.kept,
    role: 'forensics',
    api: cluster.api,
    writing: cluster.writing,
  } as const;
  return (await poolOf({ config, log, steps, restraintOn, knowledge, asking, ...own })).activities;
}

/** Creates the activities of the packs' own actions. The pool contains nothing in the cluster, so it counts nothing. */
export async function createPacksPool(
  parts: Omit<PoolParts, 'cluster'> & { readonly env: Environment; readonly atEnd: (close: () => Promise<void>) => void },
): Promise<CellActivities> {
  const { config, secrets, steps, restraintOn, knowledge, asking, log } = parts;
  const hasEvidence = await openEvidenceCheck({ config, secrets });
  const writing = new ObservedPlaces(config, () => undefined);
  const actions = packsActions({ ...parts, guard: (call) => writing.refuse(call) });
  const own = { actions, census: noCensus, hasEvidence, role: 'packs', writing } as const;
  return (await poolOf({ config, log, steps, restraintOn, knowledge, asking, ...own })).activities;
}

async function poolOf(
  parts: Pick<ChokepointParts, 'actions' | 'census' | 'hasEvidence' | 'stepsOfCells' | 'writing' | 'isAssessed' | 'bySilence'> &
    Pick<PoolParts, 'config' | 'log' | 'steps' | 'restraintOn' | 'knowledge' | 'asking' | 'first' | 'alsoTell' | 'listener'> & {
      /** What people are told about a workload that they are asked about. */
      readonly left?: (incident: IncidentRef) => WorkloadLeft | undefined;
      readonly hears?: (question: Question) => string;
      readonly role: SigningRole;
      /** Absent: the pool knows no labels, and no assumption about them allows a step. */
      readonly view?: PolicyView;
      /** Absent: the pool has no rights to report what it did. */
      readonly api?: KubernetesApi;
    },
): Promise<PoolActivities> {
  const {
    config,
    log,
    actions,
    census,
    hasEvidence,
    steps,
    restraintOn,
    knowledge,
    asking,
    left,
    role,
    api,
    first,
    alsoTell,
    listener,
    stepsOfCells,
    writing,
    view,
    isAssessed,
    bySilence,
    hears,
  } = parts;
  const { roster } = config;
  const keys = createVoteKeys({ deskPublicKeys: await awaitPublicKeys(config.desk.votePublicKeys, config), roster });
  const signIns = createSignInReader(config);
  const { landed, incidents, votes } = knowledge;
  const tellsOwners = api && config.kubernetes.events ? tellOwners({ config, api, pool: role, first, log }) : undefined;
  const tell = (outcome: StepOutcome): void => {
    tellsOwners?.(outcome);
    alsoTell?.(outcome);
  };
  const authority = { rules: rulesOf(config), roster, keys, asking, incidents, votes, ...(signIns && { signIns }) };
  const chokepoint = createChokepoint({
    ...authority,
    actions,
    census,
    hasEvidence,
    evidenceWait: { ms: config.evidence.deadlineMinutes * 60_000 },
    landed,
    policyOn: policyOfStep(config, { view, incidents }),
    writing,
    tell,
    ...(steps && { steps }),
    ...(restraintOn && { restraintOn }),
    ...(stepsOfCells && { stepsOfCells }),
    ...(isAssessed && { isAssessed }),
    ...(bySilence && { bySilence }),
    ...(role !== 'cell' && { warrants: createWarrantRule({ trust: openTrust(config, role), used: knowledge.warrants }) }),
  });
  const issuer = role === 'cell' && createWarrantIssuer({ ...authority, signer: await openRoleSigner(config, role) });
  return {
    chokepoint,
    activities: {
      ...createCellActivities({
        chokepoint,
        roster,
        keys,
        asking,
        incidents,
        votes,
        tell,
        listener,
        log,
        ...(left && { left }),
        ...(hears && { hears }),
        ...(signIns && { signIns }),
      }),
      ...(issuer && {
        issueWarrant: (call) => issuer.issue(call).catch((error: unknown) => Promise.reject(asFailure(error))),
        issueReleaseWarrant: (undo) => issuer.issueRelease(undo).catch((error: unknown) => Promise.reject(asFailure(error))),
      }),
    },
  };
}

/** Creates Events on objects that a pool has touched, for their owners. */
function tellOwners(parts: {
  readonly config: Config;
  readonly api: KubernetesApi;
  readonly pool: SigningRole;
  readonly first: ContainmentFirst | undefined;
  readonly log: Logger;
}): (outcome: StepOutcome) => void {
  const { config, api, pool, first, log } = parts;
  const { playbooks, groups } = askingOf(config);
  const titles = new Map(playbooks.map(({ id, title }) => [id, title]));
  const words = { groups, contact: config.kubernetes.contact, titleOf: (id: string) => titles.get(id) };
  const writer = new EventWriter({
    api,
    reporter: pool,
    instance: hostname(),
    dropped: (dropped) => log.warn({ pool, ...dropped }, 'Events on affected objects could not be written and are dropped'),
    ...(first && { turn: () => first.turn() }),
  });
  return (outcome) => writer.write((at) => eventsOf(outcome, words, at.getTime()));
}
