import { type Severity, severities, worse } from '../../core/alert/severity.ts';
import type { AlertBatch, IncidentRef } from '../../core/incident/incident.ts';
import { answering } from '../../core/playbook/answering.ts';
import type { AnyPlaybook } from '../../core/playbook/playbook.ts';
import { Memory, type MemoryKeeper } from './memory.ts';

/** What the alerts of an incident have told the cell itself. */
export interface KnownOfIncident {
  /** Ids of people whom they name as the actor. */
  readonly actors: readonly string[];
  /** Ids of people who ordered it by hand. */
  readonly requesters: readonly string[];
  readonly severity: Severity;
  /** Ids of playbooks that they call for; empty if nothing is known. */
  readonly playbooks: readonly string[];
}

/** Kind and value → when it was last reported. */
type Facts = Readonly<Record<string, number>>;

interface HeardOfIncident {
  readonly facts: Facts;
  /** First run ids that this cell has started → the time from which alerts belong to them. */
  readonly runs: Readonly<Record<string, number>>;
  /** First run ids → the build with which this cell started them. */
  readonly builds?: Readonly<Record<string, string>>;
  /** Since when there are alerts that no run has received. */
  readonly waitingSince?: number;
}

const dayMs = 86_400_000;
const mostRuns = 10;

/**
 * What a cell itself has heard about incidents: anyone who can reach Temporal cannot remove it. It only makes rules stricter: a run that this cell did not
 * start is held to everything reported about its workload within a month.
 */
export class IncidentMemory {
  readonly #heard: Memory<HeardOfIncident>;
  readonly #runs: Memory<true>;
  readonly #now: () => number;

  constructor(
    options: {
      readonly heard?: MemoryKeeper<HeardOfIncident>;
      readonly runs?: MemoryKeeper<true>;
      readonly now?: () => number;
    } = {},
  ) {
    this.#heard = new Memory({ most: 20_000, retentionMs: 30 * dayMs, keeper: options.heard });
    this.#runs = new Memory({ most: 20_000, retentionMs: 30 * dayMs, keeper: options.runs });
    this.#now = options.now ?? Date.now;
  }

  /** Called before the incident hears of it. */
  hears(id: string, { alerts, counts, actors = [], requesters = [] }: AlertBatch, playbooks: readonly AnyPlaybook[]): void {
    const now = this.#now();
    const said = [
      ...[...actors, ...alerts.flatMap((alert) => alert.actors ?? [])].map((person) => `actor:${person}`),
      ...[...requesters, ...alerts.flatMap(({ requester }) => requester ?? [])].map((person) => `requester:${person}`),
      ...[...counts, ...alerts].map(({ severity }) => `severity:${severity}`),
      ...alerts.flatMap((alert) => answering(playbooks, alert)).map(({ id: playbook }) => `playbook:${playbook}`),
    ];
    const known = this.#heard.get(id) ?? { facts: {}, runs: {} };
    const facts = { ...known.facts, ...Object.fromEntries(said.map((fact) => [fact, now])) };
    this.#heard.set(id, { waitingSince: now, ...known, facts }, now);
  }

  /** A run has received the latest alerts: a new one, begun with that build, or, if none is given, the open one. */
  delivered(id: string, run?: string, build?: string): void {
    const known = this.#heard.get(id);
    if (!known) return;
    const { waitingSince, ...rest } = known;
    const runs = run === undefined ? known.runs : { ...known.runs, [run]: waitingSince ?? this.#now() };
    const builds = run === undefined || build === undefined ? known.builds : { ...known.builds, [run]: build };
    const heard = { ...rest, runs: newest(runs), ...(builds && { builds: newest(builds) }) };
    this.#heard.set(id, heard, this.#now());
  }

  /** The build with which this cell began the run. Undefined if it did not, or no longer knows. */
  buildOf({ id, run }: IncidentRef): string | undefined {
    return this.#heard.get(id)?.builds?.[run];
  }

  of({ id, run }: IncidentRef): KnownOfIncident {
    const { facts = {}, runs = {} } = this.#heard.get(id) ?? {};
    const since = runs[run] ?? 0;
    const byKind = new Map<string, string[]>();
    for (const [fact, at] of Object.entries(facts)) {
      if (at < since) continue;
      const end = fact.indexOf(':');
      const values = byKind.get(fact.slice(0, end));
      if (values) values.push(fact.slice(end + 1));
      else byKind.set(fact.slice(0, end), [fact.slice(end + 1)]);
    }
    const said = (kind: string): readonly string[] => byKind.get(kind) ?? [];
    const rated = severities.filter((severity) => said('severity').includes(severity));
    return {
      actors: said('actor'),
      requesters: said('requester'),
      severity: rated.reduce(worse, 'unknown'),
      playbooks: said('playbook'),
    };
  }

  /** When this process first knew of the run, in milliseconds since 1970: now, if it did not. */
  began({ id, run }: IncidentRef): number {
    const now = this.#now();
    const key = `${id}\n${run}`;
    const called = this.#runs.at(key);
    if (called === undefined) this.#runs.set(key, true, now);
    return Math.min(called ?? now, this.#heard.get(id)?.runs[run] ?? now);
  }
}

function newest<T>(runs: Readonly<Record<string, T>>): Readonly<Record<string, T>> {
  return Object.fromEntries(Object.entries(runs).slice(-mostRuns));
}
