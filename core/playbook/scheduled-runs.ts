import type { Alert, PodRef } from '../alert/alert.ts';
import { ownRules, ownSensor } from '../alert/own-alerts.ts';
import { digestOf } from '../text/digest.ts';
import { type ParamValue, valuesOf } from './params.ts';
import type { AnyPlaybook } from './playbook.ts';
import { catchUpMs, dueLast, dueNext, type RunSchedule, timesText } from './schedule.ts';

/** A playbook that runs on a schedule, not in response to sensors. */
export type ScheduledPlaybook = AnyPlaybook & { readonly on: { readonly schedule: RunSchedule } };

export function isScheduled(playbook: AnyPlaybook): playbook is ScheduledPlaybook {
  return playbook.on.schedule !== undefined;
}

/** The target of a run, as configured. */
export type RunTarget =
  | { readonly kind: 'cluster' }
  | { readonly kind: 'workload'; readonly workload: NonNullable<Alert['workload']> }
  | { readonly kind: 'pod'; readonly namespace: string; readonly label: string; readonly value: string };

/** Undefined while the configuration names no target. */
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

/** When a playbook runs next, for display only: the cell decides when the time has come. */
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

/** The alert that triggers a scheduled playbook. Its id is the run's, so sending it twice yields one alert. */
export function scheduledAlert(run: {
  readonly playbook: ScheduledPlaybook;
  readonly cluster: string;
  readonly target: RunTarget;
  /** Milliseconds since 1970. */
  readonly due: number;
  /** The pod, if the target is one. */
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

/** What the bell asks of the cell. It names no playbook: the cell itself knows what is due. */
export interface ScheduleActivities {
  /** Starts whatever is due. @returns ids of the playbooks that were started */
  runDueSchedules(): Promise<readonly string[]>;
}

/** What is remembered about a scheduled playbook. */
export interface LastRun {
  /** When it was enabled, in milliseconds since 1970: runs due before are not made up for. */
  readonly since: number;
  /** The due time of its last run, in milliseconds since 1970. */
  readonly last?: number;
}

/** Storage that outlives the process. */
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
  /** It is too late to run. */
  readonly missed?: true;
}

/**
 * Determines which scheduled playbooks are due, only from their envelopes, the configuration, and what is remembered. Each due time has at most one run,
 * however often the bell rings.
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
    // A playbook that is disabled and enabled again later is not run for the time in between.
    for (const id of kept.keys()) if (!this.#playbooks.some((one) => one.id === id)) kept.remove(id);
    for (const { id } of this.#playbooks) if (!kept.get(id)) kept.put(id, { since: now });
  }

  /** Playbooks that have a target. */
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

  /** Records that it ran for that time, or never will. */
  ran({ playbook, due }: Pick<DueRun, 'playbook' | 'due'>): void {
    const { since = due } = this.#kept.get(playbook.id) ?? {};
    this.#kept.put(playbook.id, { since, last: due });
  }
}
