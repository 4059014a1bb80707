import type { AuditRecord } from '../audit/audit.ts';
import { isObject } from '../text/plain-json.ts';

/** A check of what a workload is allowed to do, and what had changed since the check before. */
interface PostureChange {
  /** The later check. */
  readonly look: Pick<AuditRecord, 'chain' | 'number' | 'at'>;
  readonly opened: readonly string[];
  readonly gone: readonly string[];
}

/** A check of a workload, according to its record. */
export interface PostureLook extends Pick<AuditRecord, 'chain' | 'number' | 'at'> {
  /** Its findings, sorted. */
  readonly found: readonly string[];
}

/**
 * Compares the findings at workloads from one check to the next. Each incident of a workload has its own chain, and chains come in no order of time: so it
 * holds all checks of the period, without their texts.
 */
export class PostureTrend {
  readonly #looks = new Map<string, PostureLook[]>();
  /** Stores each list of findings once: there are few lists, and many checks. */
  readonly #lists = new Map<string, readonly string[]>();

  add({ chain, number, at }: Pick<AuditRecord, 'chain' | 'number' | 'at'>, found: readonly string[]): void {
    const workload = chain.slice(0, chain.lastIndexOf('@'));
    const looks = this.#looks.get(workload) ?? [];
    if (looks.length === 0) this.#looks.set(workload, looks);
    looks.push({ chain, number, at, found: this.#once(found) });
  }

  looks(): readonly PostureLook[] {
    return [...this.#looks.values()].flat();
  }

  /** Returns changes of each workload that was checked more than once: the first check shows no change. */
  changes(): readonly PostureChange[] {
    return [...this.#looks.values()].flatMap((looks) =>
      looks.toSorted(inTime).flatMap((look, index, inOrder): readonly PostureChange[] => {
        const before = inOrder[index - 1]?.found;
        if (!before || before === look.found) return [];
        const { found } = look;
        return [{ look, opened: found.filter((id) => !before.includes(id)), gone: before.filter((id) => !found.includes(id)) }];
      }),
    );
  }

  #once(found: readonly string[]): readonly string[] {
    const list = [...found].sort();
    const key = JSON.stringify(list);
    const known = this.#lists.get(key);
    if (!known) this.#lists.set(key, list);
    return known ?? list;
  }
}

function inTime(a: PostureLook, b: PostureLook): number {
  if (a.at !== b.at) return a.at < b.at ? -1 : 1;
  if (a.chain !== b.chain) return a.chain < b.chain ? -1 : 1;
  return a.number - b.number;
}

/** Returns the findings in a check's record, each once; undefined if nothing could be read. */
export function findingsIn(posture: unknown): { readonly level: unknown; readonly found: readonly string[] } | undefined {
  if (!isObject(posture)) return undefined;
  const findings: readonly unknown[] = Array.isArray(posture.findings) ? posture.findings : [];
  const ids = findings.flatMap((finding) => (isObject(finding) && typeof finding.id === 'string' ? [finding.id] : []));
  return { level: posture.level, found: [...new Set(ids)] };
}

/** The interval by which a period is divided: short periods by weeks. */
export type TrendStep = 'week' | 'month';

const dayMs = 86_400_000;
const longestByWeek = 35 * dayMs;

export function trendStepOf({ since, until }: { readonly since: number; readonly until: number }): TrendStep {
  return until - since <= longestByWeek ? 'week' : 'month';
}

/** Returns `2026-07`, or the Monday of the week: `2026-07-06`. In UTC. */
export function trendPart(at: string, step: TrendStep): string {
  const time = Date.parse(at);
  if (step === 'month' || Number.isNaN(time)) return at.slice(0, 7);
  const sinceMonday = (new Date(time).getUTCDay() + 6) % 7;
  return new Date(time - sinceMonday * dayMs).toISOString().slice(0, 10);
}
