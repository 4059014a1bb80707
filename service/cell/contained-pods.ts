import { type Database, open, type RootDatabase } from 'lmdb';
import { Memory, type MemoryKeeper } from '../../activities/memory/memory.ts';
import { observedForMs } from '../../core/action/plan.ts';
import type { Alert } from '../../core/alert/alert.ts';
import { type AlertKind, asksAgainFrom, covers, type HarmlessDecision, withKind } from '../../core/alert/coverage.ts';
import { atLeast } from '../../core/alert/severity.ts';
import type { ResolvedAlert, SubjectResolver } from '../../core/alert/subject-resolver.ts';
import type { CountedPod } from '../../core/assessment/held-back.ts';
import { ensureFolderSync } from '../../integrations/ensure-folder.ts';

/** A pod that was contained, whatever has become of it since. */
interface ContainedPod {
  readonly incident: string;
  /** Milliseconds since 1970. */
  readonly at: number;
  /** Its incident has found the containment, and holds its lease. */
  readonly adopted: boolean;
  /** Its state while it is quarantined; absent if not seen yet, or if the quarantine is over. */
  readonly held?: HeldPod;
  /** When it was released, milliseconds since 1970. */
  readonly releasedAt?: number;
  /** Set if people released it, with what they knew of at that time. */
  readonly decided?: HarmlessDecision;
  /** Set if one of them released it under observation: any alert until then contains it again. Milliseconds since 1970. */
  readonly observed?: { readonly by: readonly string[]; readonly until: number };
}

export interface HeardKind extends AlertKind {
  /** Milliseconds since 1970: when the first of this kind arrived. */
  readonly at: number;
}

interface HeldPod {
  /** `namespace/name` */
  readonly pod: string;
  /** The sealed note as the cell wrote it: editing the one on the pod does not change this copy. */
  readonly note: string;
  /** Milliseconds since 1970, according to the note. */
  readonly takenAt: number;
  /** Problems of the quarantine at the last report to the incident; absent: not checked yet. */
  readonly told?: readonly string[];
  /** The incident was told that somebody is deleting the pod. */
  readonly isEnding?: true;
  /** The incident was told that the pod's containers have ended. */
  readonly hasEnded?: true;
  /** Images of its containers, by name, and the reasons its node may end them for, as last seen. */
  readonly runs: Readonly<Record<string, string>>;
  /** Restart counts of its containers, by name: at quarantine, and at the last report to the incident. Absent: no restarts. */
  readonly restarts: Readonly<Record<string, ReportedRestarts>>;
}

export interface ReportedRestarts {
  readonly before: number;
  readonly told: number;
}

const retentionMs = 7 * 86_400_000;
/** Maximum number of pods whose alerts are remembered, and of kinds for each: unknown alerts are not covered either. */
const mostHeard = 5_000;
const mostKinds = 20;

/**
 * Remembers which pods were contained, by uid: while they are contained, and for seven days. A pod that people released must not be contained again without its
 * incident, a pod that no incident adopts must be noticed, and what was on a pod must be known even if somebody removed it; all of this also after a restart.
 */
export class ContainedPods {
  readonly #root: RootDatabase;
  readonly #pods: Database<ContainedPod, string>;
  /** The same in memory, for lookups at each event. */
  readonly #known: Map<string, ContainedPod>;
  /** Uids of those that are quarantined. */
  readonly #held = new Set<string>();
  readonly #heard: Memory<readonly HeardKind[]>;

  /** @param heard stores which serious alerts named a pod: people who answer after a restart had also seen the alerts before it */
  constructor(directory: string, heard?: MemoryKeeper<readonly HeardKind[]>) {
    this.#heard = new Memory({ most: mostHeard, retentionMs, keeper: heard });
    ensureFolderSync(directory, 0o700);
    this.#root = open({ path: directory, maxDbs: 1 });
    this.#pods = this.#root.openDB({ name: 'pods' });
    this.#known = new Map([...this.#pods.getRange()].map(({ key, value }) => [key, value]));
    for (const [uid, { held }] of this.#known) if (held) this.#held.add(uid);
  }

  has(uid: string): boolean {
    return this.#known.has(uid);
  }

  get(uid: string): ContainedPod | undefined {
    return this.#known.get(uid);
  }

  /** Pods that are quarantined, as far as this cell knows. */
  held(): ReadonlySet<string> {
    return this.#held;
  }

  /** The same with what counts under the caps. */
  counted(): readonly CountedPod[] {
    return [...this.#held].flatMap((uid) => {
      const { incident, held } = this.#known.get(uid) ?? {};
      if (incident === undefined || held === undefined) return [];
      return [{ uid, incident, namespace: held.pod.split('/')[0] ?? '', at: held.takenAt }];
    });
  }

  /** Those of an incident, as `namespace/name`. */
  heldBy(incident: string): readonly string[] {
    return [...this.#held].flatMap((uid) => {
      const known = this.#known.get(uid);
      return known?.held && known.incident === incident ? [known.held.pod] : [];
    });
  }

  async note(uid: string, pod: Pick<ContainedPod, 'incident' | 'at' | 'adopted'>): Promise<void> {
    const known = this.#known.get(uid);
    if (known === undefined || (pod.adopted && !known.adopted)) await this.#put(uid, { ...known, ...pod });
  }

  /** Who has released it under observation, if it is still observed. */
  observed(uid: string, now = Date.now()): { readonly by: readonly string[]; readonly at: string } | undefined {
    const { observed, releasedAt, held } = this.#known.get(uid) ?? {};
    if (!observed || held || releasedAt === undefined || now > observed.until) return undefined;
    return { by: observed.by, at: new Date(releasedAt).toISOString() };
  }

  /** Records that the pod is quarantined with this note. */
  async hold(uid: string, incident: string, held: HeldPod): Promise<void> {
    const { releasedAt: _, decided: __, observed: ___, ...known } = this.#known.get(uid) ?? { at: Date.now(), adopted: false };
    await this.#put(uid, { ...known, incident, held });
  }

  async nowSays(
    uid: string,
    says: Partial<Pick<HeldPod, 'told' | 'isEnding' | 'hasEnded' | 'runs' | 'restarts'>>,
  ): Promise<void> {
    const known = this.#known.get(uid);
    if (known?.held) await this.#put(uid, { ...known, held: { ...known.held, ...says } });
  }

  /**
   * Records that the pod is gone, or was released: by people if `by` is set, who knew of everything that had arrived until `askedUntil` (milliseconds since
   * 1970). What is released under observation is decided by nobody yet.
   */
  async letGo(
    uid: string,
    given?: { readonly by?: readonly string[]; readonly askedUntil?: number; readonly observed?: boolean },
  ): Promise<void> {
    const { held: _, ...known } = this.#known.get(uid) ?? {};
    if (!('incident' in known)) return;
    const releasedAt = Date.now();
    const { by, askedUntil = releasedAt, observed } = given ?? {};
    const heard = (this.#heard.get(uid) ?? []).filter(({ at }) => at <= askedUntil);
    const decided = by && {
      at: new Date(releasedAt).toISOString(),
      by,
      covers: heard.reduce<readonly AlertKind[]>((kinds, kind) => withKind(kinds, kind), []),
    };
    await this.#put(uid, {
      ...known,
      ...(given && { releasedAt }),
      ...(by && observed ? { observed: { by, until: releasedAt + observedForMs } } : decided && { decided }),
    });
  }

  /** Records a serious alert that names the pod. */
  heard(uid: string, { rule, severity }: AlertKind): void {
    const kinds = this.#heard.get(uid) ?? [];
    if (kinds.length >= mostKinds || covers(kinds, { rule, severity })) return;
    this.#heard.set(uid, [...kinds, { rule, severity, at: Date.now() }]);
  }

  /** Pods that no incident has adopted after this time. */
  *orphans(olderThanMs: number, now = Date.now()): Generator<{ readonly uid: string } & ContainedPod> {
    for (const [uid, pod] of this.#known) if (!pod.adopted && now - pod.at > olderThanMs) yield { uid, ...pod };
  }

  async forget(now = Date.now()): Promise<void> {
    const old = [...this.#known].filter(([, { at, held, releasedAt = at }]) => !held && now - releasedAt > retentionMs);
    for (const [uid] of old) this.#known.delete(uid);
    await Promise.all(old.map(([uid]) => this.#pods.remove(uid)));
  }

  async close(): Promise<void> {
    await this.#root.close();
  }

  /** Available in memory at once; resolves when it is on disk. */
  async #put(uid: string, pod: ContainedPod): Promise<void> {
    this.#known.set(uid, pod);
    if (pod.held) this.#held.add(uid);
    else this.#held.delete(uid);
    await this.#pods.put(uid, pod);
  }
}

/** The same resolver, which also adds to a serious alert what people have decided about its pod, in any incident. */
export function tellingDecided(resolver: SubjectResolver, pods: ContainedPods): SubjectResolver {
  return {
    resolve: (given): ResolvedAlert => {
      const resolved = resolver.resolve(given);
      const { alert } = resolved;
      const uid = alert.pod?.uid;
      if (uid !== undefined && atLeast(alert.severity, asksAgainFrom)) pods.heard(uid, alert);
      return { ...resolved, alert: withDecided(alert, pods) };
    },
  };
}

/** Adds what people have decided about the alert's pod so far. */
export function withDecided(alert: Alert, pods: ContainedPods): Alert {
  const uid = alert.pod?.uid;
  if (uid === undefined || !atLeast(alert.severity, asksAgainFrom)) return alert;
  const { held, decided } = pods.get(uid) ?? {};
  return decided && !held ? { ...alert, decided } : alert;
}
