import type { Alert, PodRef } from '../alert/alert.ts';
import { ownRules, ownSensor } from '../alert/own-alerts.ts';
import { digestOf } from '../text/digest.ts';
import { type ParamValue, valuesOf } from './params.ts';
import type { AnyPlaybook } from './playbook.ts';
import { catchUpMs, dueLast, dueNext, type RunSchedule, timesText } from './schedule.ts';

/** A playbook that runs when its time has come, and not for what sensors say. */
export type ScheduledPlaybook = AnyPlaybook & { readonly on: { readonly schedule: RunSchedule } };

export function isScheduled(playbook: AnyPlaybook): playbook is ScheduledPlaybook {
  return playbook.on.schedule !== undefined;
}

/** What a run is about, as configuration has said it. */
export type RunTarget =
  | { readonly kind: 'cluster' }
  | { readonly kind: 'workload'; readonly workload: NonNullable<Alert['workload']> }
  | { readonly kind: 'pod'; readonly namespace: string; readonly label: string; readonly value: string };

/** Undefined while configuration names no target. */
export function targetOf(
  { on: { schedule }, params = {} }: ScheduledPlaybook,
  given: Readonly<Record<string, unknown>> = {},
): RunTarget | undefined {
  const { about } = schedule;
  if (!about) return { kind: 'cluster' };
  const values: Readonly<Record<string, ParamValue>> = valuesOf(params, given);
  const text = (name: string): string => String(values[name] ?? '').trim();
  const namespace = text(about.namespace);
  if (namespace === '') return undefined;
  if ('pod' in about) return { kind: 'pod', namespace, ...about.pod };
  const [kind, name] = 'name' in about ? [about.kind, text(about.name)] : ['Namespace', namespace];
  return name === '' ? undefined : { kind: 'workload', workload: { kind, namespace, name } };
}

/** When a playbook runs next, for people to read: what decides is the cell, when the time has come. */
interface NextRun {
  readonly playbook: string;
  readonly times: string;
  /** ISO 8601, UTC; null while it has no target. */
  readonly next: string | null;
}

export function nextRunOf(
  playbook: ScheduledPlaybook,
  given: Readonly<Record<string, unknown>> | undefined,
  now: number,
): NextRun {
  const next = targetOf(playbook, given) && dueNext(playbook.on.schedule, now);
  return {
    playbook: playbook.id,
    times: timesText(playbook.on.schedule),
    next: next === undefined ? null : new Date(next).toISOString(),
  };
}

/** The alert by which a scheduled playbook runs. Its id is the run's: told twice, it is one. */
export function scheduledAlert(run: {
  readonly playbook: ScheduledPlaybook;
  readonly cluster: string;
  readonly target: RunTarget;
  /** Milliseconds since 1970. */
  readonly due: number;
  /** Where the target is one. */
  readonly pod?: PodRef | undefined;
}): Alert {
  const { playbook, cluster, target, due, pod } = run;
  const time = new Date(due).toISOString();
  return {
    id: digestOf({ schedule: playbook.id, cluster, time })
      .replace(/^sha256:/, '')
      .slice(0, 32),
    sensor: ownSensor,
    rule: ownRules.schedule,
    severity: playbook.on.minSeverity,
    time,
    title: `${playbook.title}: due at ${time.slice(0, 16).replace('T', ' ')} UTC, ${timesText(playbook.on.schedule)}`,
    cluster,
    ...(target.kind === 'workload' && { workload: target.workload }),
    ...(pod && { pod }),
    scheduledFor: playbook.id,
    observables: [],
    tags: [],
    mitre: [],
  };
}

/** What the bell asks of the cell. It names nothing: what is due is for the cell to know. */
export interface ScheduleActivities {
  /** Begins what is due. @returns ids of the playbooks that were begun */
  runDueSchedules(): Promise<readonly string[]>;
}

/** What is remembered of a scheduled playbook. */
export interface LastRun {
  /** Since when it has been there, in milliseconds since 1970: what was due before is not made up for. */
  readonly since: number;
  /** The moment that it ran for last, milliseconds since 1970. */
  readonly last?: number;
}

/** Where it outlives the process. */
export interface LastRuns {
  keys(): readonly string[];
  get(key: string): LastRun | undefined;
  put(key: string, run: LastRun): void;
  remove(key: string): void;
}

export interface DueRun {
  readonly playbook: ScheduledPlaybook;
  readonly target: RunTarget;
  /** Milliseconds since 1970. */
  readonly due: number;
  /** It is too late for it. */
  readonly missed?: true;
}

/**
 * Which scheduled playbooks are due, by their envelopes, the configuration, and what is remembered: nobody else is asked. Each moment of a schedule has one run
 * at most, whoever rings how often.
 */
export class DueRuns {
  readonly #playbooks: readonly ScheduledPlaybook[];
  readonly #params: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  readonly #kept: LastRuns;

  constructor(options: {
    readonly playbooks: readonly AnyPlaybook[];
    readonly params: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
    readonly kept: LastRuns;
    readonly now: number;
  }) {
    const { playbooks, params, kept, now } = options;
    this.#params = params;
    this.#kept = kept;
    this.#playbooks = playbooks.filter(isScheduled).filter((playbook) => targetOf(playbook, params[playbook.id]) !== undefined);
    // Whoever turns one off and on again later is not run for what was due between.
    for (const id of kept.keys()) if (!this.#playbooks.some((one) => one.id === id)) kept.remove(id);
    for (const { id } of this.#playbooks) if (!kept.get(id)) kept.put(id, { since: now });
  }

  /** Those that have a target. */
  get playbooks(): readonly ScheduledPlaybook[] {
    return this.#playbooks;
  }

  at(now: number): readonly DueRun[] {
    return this.#playbooks.flatMap((playbook): readonly DueRun[] => {
      const { since = now, last } = this.#kept.get(playbook.id) ?? {};
      const due = dueLast(playbook.on.schedule, now);
      if (due === undefined || due < since || due <= (last ?? Number.NEGATIVE_INFINITY)) return [];
      const target = targetOf(playbook, this.#params[playbook.id]);
      const isMissed = now - due > catchUpMs(playbook.on.schedule, due);
      return target ? [{ playbook, target, due, ...(isMissed && { missed: true as const }) }] : [];
    });
  }

  /** It has run for that moment, or never will. */
  ran({ playbook, due }: Pick<DueRun, 'playbook' | 'due'>): void {
    const { since = due } = this.#kept.get(playbook.id) ?? {};
    this.#kept.put(playbook.id, { since, last: due });
  }
}
