import type { AuditRecord } from '../audit/audit.ts';
import { isObject } from '../text/plain-json.ts';

/** A look at what a workload is allowed, and what had changed since the look before. */
interface PostureChange {
  /** The later look. */
  readonly look: Pick<AuditRecord, 'chain' | 'number' | 'at'>;
  readonly opened: readonly string[];
  readonly gone: readonly string[];
}

/** A look at a workload, as its record tells it. */
export interface PostureLook extends Pick<AuditRecord, 'chain' | 'number' | 'at'> {
  /** What it found, sorted. */
  readonly found: readonly string[];
}

/**
 * What is found at workloads from one look to the next. Each incident of a workload has a chain of its own, and chains come in no order of time: so it holds all looks of the period, without
 * their texts.
 */
export class PostureTrend {
  readonly #looks = new Map<string, PostureLook[]>();
  /** Each list of findings once: there are few of them, and many looks. */
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

  /** Of each workload that was looked at more than once: the first look shows no change. */
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

/** What the record of a look found, each once; undefined where nothing could be read. */
export function findingsIn(posture: unknown): { readonly level: unknown; readonly found: readonly string[] } | undefined {
  if (!isObject(posture)) return undefined;
  const findings: readonly unknown[] = Array.isArray(posture.findings) ? posture.findings : [];
  const ids = findings.flatMap((finding) => (isObject(finding) && typeof finding.id === 'string' ? [finding.id] : []));
  return { level: posture.level, found: [...new Set(ids)] };
}

/** How a period is divided: a short one by weeks. */
export type TrendStep = 'week' | 'month';

const dayMs = 86_400_000;
const longestByWeek = 35 * dayMs;

export function trendStepOf({ since, until }: { readonly since: number; readonly until: number }): TrendStep {
  return until - since <= longestByWeek ? 'week' : 'month';
}

/** `2026-07`, or the Monday of the week: `2026-07-06`. By UTC. */
export function trendPart(at: string, step: TrendStep): string {
  const time = Date.parse(at);
  if (step === 'month' || Number.isNaN(time)) return at.slice(0, 7);
  const sinceMonday = (new Date(time).getUTCDay() + 6) % 7;
  return new Date(time - sinceMonday * dayMs).toISOString().slice(0, 10);
}
