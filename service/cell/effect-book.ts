import type { StepRegister } from '../../activities/chokepoint/step-register.ts';
import { asFailure } from '../../activities/failures.ts';
import { Memory, type MemoryKeeper } from '../../activities/memory/memory.ts';
import type { AppliedStep, CellActivities, LookActivities, StepCall } from '../../core/action/step.ts';
import { quarantinePod, quarantineWorkload } from '../../core/actions/index.ts';
import type { Alert, WorkloadRef } from '../../core/alert/alert.ts';
import { type Severity, severities } from '../../core/alert/severity.ts';
import { authenticState, type BeforeState, type CellKey, heldSince, type NamedKind } from '../../core/cluster/before-state.ts';
import type { HeldContainment } from '../../core/cluster/cluster-resources.ts';
import { names } from '../../core/cluster/labels.ts';
import type { PodRecord } from '../../core/cluster/pod-record.ts';
import { FirebreakError } from '../../core/errors.ts';
import {
  type AskedEffect,
  type EffectLook,
  type EffectOutcome,
  type EffectScope,
  isRecent,
  lookedAtScopes,
  type PodsReady,
} from '../../core/incident/effect.ts';
import type { warningsSince } from '../../integrations/kubernetes/pods/warnings.ts';
import type { ClusterView } from '../../integrations/kubernetes/watch/cluster-view.ts';
import { readyOf, servicesOf, standWithout } from '../../integrations/kubernetes/watch/pods-ready.ts';
import { type Logger, reasonOf } from '../process/log.ts';

/** A quarantine or other containment whose effect will be asked for, as the cell saw it when it was made. */
export interface WatchedQuarantine {
  readonly incident: string;
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly namespace: string;
  /** Uids of the quarantined pods, with the restart counts of their containers until then. */
  readonly pods: Readonly<Record<string, number>>;
  /** What is contained instead of pods. */
  readonly scope?: EffectScope;
  readonly workload?: NamedKind;
  /** Services that had selected one of the pods. */
  readonly services: readonly string[];
  readonly before: { readonly workload?: PodsReady; readonly neighbours?: PodsReady };
  /** Uids of the pods behind these Services, with the restart counts of their containers until then. */
  readonly behind: Readonly<Record<string, number>>;
}

/** Alerts of one contained pod, or of another contained object. */
export interface AlertsOfPod {
  readonly counts: Readonly<Partial<Record<Severity, number>>>;
  /** How many of these name an address or a domain. */
  readonly addressed: number;
  /** Milliseconds since 1970, by the cell's own clock. */
  readonly lastAt: number;
}

/** Longer than the last look may be postponed. */
const retentionMs = 8 * 86_400_000;
/** The same number as the incidents that a cell remembers. */
const mostQuarantines = 20_000;
const mostPods = 20_000;
const mostProblems = 10;
/** Beyond this number of neighbours, earlier restarts are not stored: those of the others count as new. */
const mostBehind = 500;
const staleMs = 60_000;
const keepEveryMs = 2_000;
/** A minute or two in total, given the pauses of its call. */
const mostPutOff = 6;

const quarantines: ReadonlySet<string> = new Set([quarantinePod.name, quarantineWorkload.name]);

interface EffectBookParts {
  readonly view: Pick<ClusterView, 'age' | 'ready' | 'pods' | 'podByUid' | 'ownersOf' | 'services'>;
  readonly cellKey: CellKey;
  /** Containments in force according to notes sealed by the cell; of pods, those with these uids, or all. */
  readonly containments: (pods?: readonly string[]) => readonly HeldContainment[];
  readonly warnings: (of: Omit<Parameters<typeof warningsSince>[0], 'api'>) => ReturnType<typeof warningsSince>;
  /** Marks calls to the API server as Firebreak's own. */
  readonly steps?: StepRegister | undefined;
  readonly quarantines?: MemoryKeeper<WatchedQuarantine> | undefined;
  readonly alerts?: MemoryKeeper<AlertsOfPod> | undefined;
  /** Whether the cell is busy with incidents. Absent: unknown. */
  readonly isBusy?: () => boolean;
  /** Number of cells in the cluster: others accept alerts too. */
  readonly cells: number;
  readonly log: Pick<Logger, 'warn'>;
  readonly now?: () => number;
}

/**
 * What the cell knows of containments that it is asked about later: the state before them, and which alerts of their pods it has accepted since. A call names
 * only the step, so nobody can make it count for another one. It is what the cell itself saw, and no proof that an attack is over: a silenced sensor sends no
 * alerts either.
 */
export class EffectBook {
  readonly #parts: EffectBookParts;
  readonly #now: () => number;
  readonly #quarantines: Memory<WatchedQuarantine>;
  readonly #kept: Memory<AlertsOfPod>;
  /** Counts since the last write: a storm is not written alert by alert. */
  readonly #fresh = new Map<string, AlertsOfPod>();
  readonly #contained = new Set<string>();
  /** Looks that are due, and how often each was postponed. */
  readonly #putOff = new Memory<number>({ most: mostQuarantines, retentionMs });
  #timer: NodeJS.Timeout | undefined;

  constructor(parts: EffectBookParts) {
    this.#parts = parts;
    this.#now = parts.now ?? Date.now;
    this.#quarantines = new Memory({ most: mostQuarantines, retentionMs, keeper: parts.quarantines });
    this.#kept = new Memory({ most: mostPods, retentionMs, keeper: parts.alerts });
    for (const [, { pods, scope }] of this.#quarantines.entries()) {
      for (const uid of Object.keys(pods)) this.#contained.add(uid);
      if (scope) this.#contained.add(keyOf(scope));
    }
  }

  start(): void {
    this.#timer = setInterval(() => this.#keep(), keepEveryMs).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#keep();
  }

  /** Wraps the cell's activities: records the state before each quarantine that is made. */
  following(activities: CellActivities): CellActivities {
    const noting = async (call: StepCall, apply: () => Promise<AppliedStep>): Promise<AppliedStep> => {
      const applied = await apply();
      if (quarantines.has(call.action)) this.#made(call, applied);
      const scope = scopeOf(call);
      if (scope) this.#madeFor(call, scope);
      return applied;
    };
    return {
      ...activities,
      applyStep: (call) => noting(call, () => activities.applyStep(call)),
      applyStepNow: (call) => noting(call, () => activities.applyStepNow(call)),
    };
  }

  /** Called for each alert on its way to an incident. Only alerts about something contained are counted. */
  heard(alert: HeardAlert): void {
    for (const contained of new Set(keysOf(alert))) if (this.#contained.has(contained)) this.#count(contained, alert);
  }

  #count(uid: string, { severity, observables }: HeardAlert): void {
    const known = this.#fresh.get(uid) ?? this.#kept.get(uid);
    const counts = known?.counts ?? {};
    const isAddressed = observables.some(({ type }) => type === 'ip' || type === 'domain');
    this.#fresh.set(uid, {
      counts: { ...counts, [severity]: (counts[severity] ?? 0) + 1 },
      addressed: (known?.addressed ?? 0) + (isAddressed ? 1 : 0),
      lastAt: this.#now(),
    });
  }

  /** @throws never: anything unknown is reported as such */
  async look({ incident, step, countsConnections }: AskedEffect, signal: AbortSignal): Promise<EffectLook> {
    const { view, containments, cells } = this.#parts;
    const now = this.#now();
    const at = new Date(now).toISOString();
    const known = this.#quarantines.get(step);
    const watched = known?.incident === incident.id ? known : undefined;
    // A wider step may have found a pod already quarantined by another step.
    const isOwn = ({ uid, ...one }: HeldContainment): boolean =>
      watched && !watched.scope ? uid !== undefined && uid in watched.pods : one.step === step && one.incident === incident.id;
    // With thousands of pods, only the step's own are requested, if they are known.
    const held = containments(watched && !watched.scope ? Object.keys(watched.pods) : undefined).filter(isOwn);
    const problems = [...new Set(held.flatMap((one) => one.problems))].slice(0, mostProblems);
    const isStale = view.age() > staleMs || !view.ready();
    const unknown = [
      ...(countsConnections && !watched?.scope ? [] : [unknownOf[watched?.scope?.kind ?? 'pods']]),
      ...(cells > 1 ? ['alerts that other cells of this cluster have accepted'] : []),
      ...(watched && watched.services.length > 0
        ? ['whether its neighbours answer with errors: only their own monitoring shows that']
        : []),
    ];
    if (!watched)
      return {
        outcome: 'unknown',
        at,
        problems,
        ...(isStale && { isStale }),
        unknown: ['its effect: this cell did not apply the quarantine, or has lost its memory of it', ...unknown],
      };

    if (isStale)
      return {
        ...{ outcome: 'unknown', at, since: new Date(watched.at).toISOString(), problems: [], isStale, unknown },
        ...(watched.scope && { scope: watched.scope }),
        alerts: this.#alertsOf(watched.scope ? [keyOf(watched.scope)] : Object.keys(watched.pods)),
      };
    if (watched.scope) return this.#lookAtScope({ ...watched, scope: watched.scope }, { at, problems, unknown });
    const { namespace, workload, services, before, behind } = watched;
    const since = new Date(watched.at).toISOString();
    const uids = Object.keys(watched.pods);
    const alerts = this.#alertsOf(uids);
    const there = uids.flatMap((uid) => view.podByUid(uid) ?? []);
    const stand = standWithout(view, { namespace, workload, services, without: new Set(uids) });
    const read = () => this.#parts.warnings({ namespace, since: watched.at, signal });
    const own = { key: step, action: 'lookAtEffect', incident: incident.id, targets: [] };
    const warnings = await (this.#parts.steps?.during(own, read) ?? read()).catch((error: unknown) => {
      unknown.push(`warnings in the namespace: ${reasonOf(error)}`);
      return undefined;
    });
    if (warnings?.more) unknown.push('further warnings in the namespace: there are more than are read');
    const neighbourRestarts = restartsSince(stand.behind, behind);
    const isHeld = there.every(({ uid }) => held.some((one) => one.uid === uid));
    return {
      outcome: outcomeOf({ isWhole: isHeld && problems.length === 0, lastAt: alerts.lastAt, at, since }),
      at,
      since,
      alerts,
      problems: isHeld ? problems : [...problems, 'one of its pods is no longer in quarantine'],
      pods: { there: there.length, of: uids.length },
      restarts: restartsSince(there, watched.pods),
      ...(workload &&
        stand.workload && {
          workload: {
            name: `${workload.kind.toLowerCase()}/${namespace}/${workload.name}`,
            now: stand.workload,
            ...(before.workload && { before: before.workload }),
          },
        }),
      ...(stand.neighbours && {
        neighbours: {
          ...{ services, now: stand.neighbours },
          ...(neighbourRestarts > 0 && { restarts: neighbourRestarts }),
          ...(before.neighbours && { before: before.neighbours }),
        },
      }),
      ...(warnings && { warnings: { total: warnings.total, reasons: warnings.reasons } }),
      unknown,
    };
  }

  /** For objects other than pods, only the alerts that name them are known. */
  #lookAtScope(
    { scope, at: madeAt }: WatchedQuarantine & { readonly scope: EffectScope },
    { at, problems, unknown }: Pick<EffectLook, 'at' | 'problems' | 'unknown'>,
  ): EffectLook {
    const since = new Date(madeAt).toISOString();
    const alerts = this.#alertsOf([keyOf(scope)]);
    return {
      outcome: outcomeOf({ isWhole: problems.length === 0, lastAt: alerts.lastAt, at, since }),
      ...{ at, since, scope, alerts, problems },
      unknown,
    };
  }

  /** As an activity. */
  get activities(): Pick<LookActivities, 'lookAtEffect'> {
    return {
      lookAtEffect: async (asked) => {
        if (this.#isPutOff(asked.step))
          throw asFailure(new FirebreakError('FB_ERR_UNAVAILABLE', 'questions to people take precedence'));
        return this.look(asked, AbortSignal.timeout(10_000));
      },
    };
  }

  /** Each retry comes a few seconds later: nobody waits for it, and hundreds of due looks must not delay questions to people. */
  #isPutOff(step: string): boolean {
    const times = this.#putOff.get(step) ?? 0;
    const isPutOff = times < mostPutOff && (this.#parts.isBusy?.() ?? false);
    if (isPutOff) this.#putOff.set(step, times + 1);
    else this.#putOff.delete(step);
    return isPutOff;
  }

  #alertsOf(uids: readonly string[]): NonNullable<EffectLook['alerts']> {
    const counts: Partial<Record<Severity, number>> = {};
    let [lastAt, addressed] = [0, 0];
    for (const uid of uids) {
      const found = this.#fresh.get(uid) ?? this.#kept.get(uid);
      if (!found) continue;
      for (const severity of severities)
        if (found.counts[severity]) counts[severity] = (counts[severity] ?? 0) + found.counts[severity];
      lastAt = Math.max(lastAt, found.lastAt);
      addressed += found.addressed;
    }
    return {
      counts,
      ...(lastAt > 0 && { lastAt: new Date(lastAt).toISOString() }),
      ...(addressed > 0 && { addressed }),
    };
  }

  #madeFor({ key, incident }: StepCall, scope: EffectScope): void {
    if (this.#quarantines.get(key)) return;
    const contained = keyOf(scope);
    this.#contained.add(contained);
    this.#fresh.delete(contained);
    this.#kept.delete(contained);
    const nothing = { namespace: '', pods: {}, services: [], before: {}, behind: {} };
    const made = { incident: incident.id, at: this.#now(), scope, ...nothing };
    this.#quarantines.set(key, made, this.#now());
  }

  /** From memory, and never delays the containment: if this fails, the data is missing later. */
  #made(call: StepCall, applied: AppliedStep): void {
    const { view, log } = this.#parts;
    if (this.#quarantines.get(call.key)) return;
    try {
      const pods = podsOf(call, applied).flatMap((uid) => view.podByUid(uid) ?? []);
      const [first] = pods;
      if (!first) return;
      const { namespace } = first;
      const states = pods.flatMap((pod) => this.#stateOf(pod) ?? []);
      const services = [...new Set(states.flatMap(({ labels }) => servicesOf(view, namespace, labels)))].sort();
      const workload = states.find((state) => state.workload)?.workload;
      const without = new Set(pods.map(({ uid }) => uid));
      // After a head start the replacement pod may already exist.
      const olderThan = Math.min(this.#now(), ...states.map(heldSince));
      const others = standWithout(view, { namespace, workload, services, without, olderThan });
      const own = readyOf(pods);
      const whole = ({ ready, pods: all }: PodsReady): PodsReady => ({ ready: ready + own.ready, pods: all + own.pods });
      for (const { uid } of pods) {
        this.#contained.add(uid);
        // Counts of an earlier quarantine of the same pod are reset.
        this.#fresh.delete(uid);
        this.#kept.delete(uid);
      }
      this.#quarantines.set(
        call.key,
        {
          incident: call.incident.id,
          at: this.#now(),
          namespace,
          pods: restartsOf(pods),
          ...(workload && { workload }),
          services,
          before: {
            ...(others.workload && { workload: whole(others.workload) }),
            ...(others.neighbours && { neighbours: whole(others.neighbours) }),
          },
          behind: restartsOf(others.behind.slice(0, mostBehind)),
        },
        this.#now(),
      );
    } catch (error) {
      log.warn({ step: call.key, reason: reasonOf(error) }, 'cannot record the state before a quarantine');
    }
  }

  #stateOf({ uid, annotations }: PodRecord): BeforeState | undefined {
    return authenticState({ text: annotations[names.beforeAnnotation], podUid: uid, key: this.#parts.cellKey });
  }

  #keep(): void {
    for (const [uid, alerts] of this.#fresh) this.#kept.set(uid, alerts, this.#now());
    this.#fresh.clear();
  }
}

type HeardAlert = Pick<Alert, 'pod' | 'apiRequest' | 'node' | 'workload' | 'severity' | 'observables'>;

/** By uid. */
function restartsOf(pods: readonly PodRecord[]): Readonly<Record<string, number>> {
  return Object.fromEntries(pods.map(({ uid, restarts = 0 }) => [uid, restarts]));
}

function restartsSince(pods: readonly PodRecord[], before: Readonly<Record<string, number>>): number {
  return pods.reduce((sum, { uid, restarts = 0 }) => sum + Math.max(0, restarts - (before[uid] ?? 0)), 0);
}

/** No uid and no account has such a name. */
function keyOf({ kind, name }: EffectScope): string {
  return kind === 'account' ? name : `${kind} ${name}`;
}

/** The keys under which an alert can be counted. */
function keysOf({ pod, apiRequest, node, workload }: HeardAlert): readonly string[] {
  return [
    ...(pod?.uid === undefined ? [] : [pod.uid]),
    ...(apiRequest ? [apiRequest.account] : []),
    ...(node === undefined ? [] : [keyOf({ kind: 'node', name: node })]),
    ...(pod ? [keyOf({ kind: 'namespace', name: pod.namespace })] : []),
    ...(workload ? [keyOf({ kind: 'workload', name: workloadName(workload) })] : []),
  ];
}

function workloadName({ kind, namespace, name }: Pick<WorkloadRef, 'kind' | 'namespace' | 'name'>): string {
  return `${kind.toLowerCase()}/${namespace}/${name}`;
}

/** Undefined for steps that contain pods, or nothing. The chokepoint has checked the input against its schema. */
function scopeOf({ action, input }: StepCall): EffectScope | undefined {
  const given = input as {
    readonly serviceAccount?: { readonly namespace: string; readonly name: string };
    readonly node?: string;
    readonly namespace?: string;
    readonly workload?: Pick<WorkloadRef, 'kind' | 'namespace' | 'name'>;
    readonly cronJob?: { readonly namespace: string; readonly name: string };
  };
  const kind = lookedAtScopes[action];
  switch (kind) {
    case 'account':
      return (
        given.serviceAccount && {
          kind,
          name: `system:serviceaccount:${given.serviceAccount.namespace}:${given.serviceAccount.name}`,
        }
      );
    case 'node':
      return given.node === undefined ? undefined : { kind, name: given.node };
    case 'namespace':
      return given.namespace === undefined ? undefined : { kind, name: given.namespace };
    case 'workload':
      return workloadScope(given.workload ?? (given.cronJob && { kind: 'CronJob', ...given.cronJob }));
    default:
      return undefined;
  }
}

function workloadScope(workload: Pick<WorkloadRef, 'kind' | 'namespace' | 'name'> | undefined): EffectScope | undefined {
  return workload && { kind: 'workload', name: workloadName(workload) };
}

/** What no look can find out. */
const unknownOf: Readonly<Record<EffectScope['kind'] | 'pods', string>> = {
  pods: 'whether connections that were already open persist where no sensor reports it: only their node knows, which countConnections would ask',
  account: 'whether its tokens were used where no sensor of the API audit reports it',
  node: 'what runs on the node that no sensor watches: a cordon stops nothing that runs there',
  namespace: 'whether connections that were already open persist where no sensor reports it: only cutting them shows that',
  workload: 'what it does that no sensor reports',
};

function outcomeOf(of: {
  readonly isWhole: boolean;
  readonly lastAt: string | undefined;
  readonly at: string;
  readonly since: string;
}): EffectOutcome {
  const { isWhole, lastAt, at, since } = of;
  if (!isWhole) return 'not-in-force';
  if (lastAt === undefined) return 'no-alerts';
  return isRecent(lastAt, at, since) ? 'alerts-continue' : 'alerts-stopped';
}

/** The chokepoint has checked a step's input and output against its schemas. */
function podsOf({ action, input }: StepCall, { output }: AppliedStep): readonly string[] {
  if (action === quarantinePod.name) return uidsIn([(input as { readonly pod?: unknown }).pod]);
  return uidsIn((output as { readonly pods?: readonly unknown[] } | undefined)?.pods ?? []);
}

function uidsIn(pods: readonly unknown[]): readonly string[] {
  return pods.flatMap((pod) =>
    typeof pod === 'object' && pod !== null && 'uid' in pod && typeof pod.uid === 'string' ? [pod.uid] : [],
  );
}
