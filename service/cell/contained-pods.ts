import { type Database, open, type RootDatabase } from 'lmdb';
import { Memory, type MemoryKeeper } from '../../activities/memory/memory.ts';
import type { Alert } from '../../core/alert/alert.ts';
import { type AlertKind, asksAgainFrom, covers, type HarmlessDecision, withKind } from '../../core/alert/coverage.ts';
import { atLeast } from '../../core/alert/severity.ts';
import type { ResolvedAlert, SubjectResolver } from '../../core/alert/subject-resolver.ts';
import { ensureFolderSync } from '../../integrations/ensure-folder.ts';

/** A pod that was contained, whatever became of it since. */
interface ContainedPod {
  readonly incident: string;
  /** Milliseconds since 1970. */
  readonly at: number;
  /** Its incident has found the containment, and holds its lease. */
  readonly adopted: boolean;
  /** What is on it while it is quarantined; absent where that has not been seen yet, or is over. */
  readonly held?: HeldPod;
  /** When it was given back, milliseconds since 1970. */
  readonly releasedAt?: number;
  /** By people, and what they knew of then. */
  readonly decided?: HarmlessDecision;
}

export interface HeardKind extends AlertKind {
  /** Milliseconds since 1970: when the first of it came. */
  readonly at: number;
}

interface HeldPod {
  /** `namespace/name` */
  readonly pod: string;
  /** The sealed note as the cell wrote it: whoever edits the one on the pod has not edited this. */
  readonly note: string;
  /** Milliseconds since 1970, as the note says. */
  readonly takenAt: number;
  /** What of the quarantine was not as it should be when the incident was last told; absent: it was not looked at yet. */
  readonly told?: readonly string[];
  /** Its incident was told that somebody deletes it. */
  readonly isEnding?: true;
  /** Its incident was told that its containers have ended. */
  readonly hasEnded?: true;
  /** Images of its containers, by name, and what its node may end them for, as they were last seen. */
  readonly runs: Readonly<Record<string, string>>;
  /** How often containers had been started again, by name: when it was quarantined, and when its incident was told last. Absent: never. */
  readonly restarts: Readonly<Record<string, ReportedRestarts>>;
}

export interface ReportedRestarts {
  readonly before: number;
  readonly told: number;
}

const retentionMs = 7 * 86_400_000;
/** Pods whose alerts are remembered, and kinds of each: what is not known is not covered either. */
const mostHeard = 5_000;
const mostKinds = 20;

/**
 * Remembers which pods were contained, by uid: for as long as they are, and for seven days. A pod that people gave back must not be taken again
 * without its incident, one that no incident adopts must be noticed, and what was on one must be known although somebody took it off; all
 * of it after a restart too.
 */
export class ContainedPods {
  readonly #root: RootDatabase;
  readonly #pods: Database<ContainedPod, string>;
  /** The same, for what is asked at each event. */
  readonly #known: Map<string, ContainedPod>;
  /** Of these, uids of those that are quarantined. */
  readonly #held = new Set<string>();
  readonly #heard: Memory<readonly HeardKind[]>;

  /** @param heard keeps which serious alerts named a pod: what came before a restart was before people when they answered after it */
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

  /** Those that are quarantined, as far as this cell knows. */
  held(): ReadonlySet<string> {
    return this.#held;
  }

  async note(uid: string, pod: Pick<ContainedPod, 'incident' | 'at' | 'adopted'>): Promise<void> {
    const known = this.#known.get(uid);
    if (known === undefined || (pod.adopted && !known.adopted)) await this.#put(uid, { ...known, ...pod });
  }

  /** It is quarantined with this note. */
  async hold(uid: string, incident: string, held: HeldPod): Promise<void> {
    const { releasedAt: _, decided: __, ...known } = this.#known.get(uid) ?? { at: Date.now(), adopted: false };
    await this.#put(uid, { ...known, incident, held });
  }

  async nowSays(
    uid: string,
    says: Partial<Pick<HeldPod, 'told' | 'isEnding' | 'hasEnded' | 'runs' | 'restarts'>>,
  ): Promise<void> {
    const known = this.#known.get(uid);
    if (known?.held) await this.#put(uid, { ...known, held: { ...known.held, ...says } });
  }

  /** It is no longer there; or it was given back, by people where `by` says so, who knew what had come until `askedUntil` (milliseconds since 1970). */
  async letGo(uid: string, given?: { readonly by?: readonly string[]; readonly askedUntil?: number }): Promise<void> {
    const { held: _, ...known } = this.#known.get(uid) ?? {};
    if (!('incident' in known)) return;
    const releasedAt = Date.now();
    const { by, askedUntil = releasedAt } = given ?? {};
    const heard = (this.#heard.get(uid) ?? []).filter(({ at }) => at <= askedUntil);
    const decided = by && {
      at: new Date(releasedAt).toISOString(),
      by,
      covers: heard.reduce<readonly AlertKind[]>((kinds, kind) => withKind(kinds, kind), []),
    };
    await this.#put(uid, { ...known, ...(given && { releasedAt }), ...(decided && { decided }) });
  }

  /** A serious alert names it. */
  heard(uid: string, { rule, severity }: AlertKind): void {
    const kinds = this.#heard.get(uid) ?? [];
    if (kinds.length >= mostKinds || covers(kinds, { rule, severity })) return;
    this.#heard.set(uid, [...kinds, { rule, severity, at: Date.now() }]);
  }

  /** Those that no incident has adopted so long after. */
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

  /** Known at once; resolves when it is on the disk. */
  async #put(uid: string, pod: ContainedPod): Promise<void> {
    this.#known.set(uid, pod);
    if (pod.held) this.#held.add(uid);
    else this.#held.delete(uid);
    await this.#pods.put(uid, pod);
  }
}

/** The same resolver, which also says of a serious alert what people have decided about its pod, in whichever incident. */
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

/** With what people have decided about its pod by now. */
export function withDecided(alert: Alert, pods: ContainedPods): Alert {
  const uid = alert.pod?.uid;
  if (uid === undefined || !atLeast(alert.severity, asksAgainFrom)) return alert;
  const { held, decided } = pods.get(uid) ?? {};
  return decided && !held ? { ...alert, decided } : alert;
}
