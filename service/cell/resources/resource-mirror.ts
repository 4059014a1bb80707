import { isDeepStrictEqual } from 'node:util';
import type { Client } from '@temporalio/client';
import type { LeaseMemory } from '../../../activities/memory/lease-memory.ts';
import { type DurableValues, Memory, type MemoryKeeper } from '../../../activities/memory/memory.ts';
import type { CellActivities } from '../../../core/action/step.ts';
import {
  containmentResource,
  type HeldContainment,
  incidentResource,
  type ResourceWords,
  type SeenIncident,
  type ShownResource,
  saidOf,
  shownUntil,
} from '../../../core/cluster/cluster-resources.ts';
import type { StepOutcome } from '../../../core/cluster/object-event.ts';
import { incidentNames, subjectOfIncident } from '../../../core/incident/incident.ts';
import type { IncidentState } from '../../../core/incident/incident-state.ts';
import type { KubernetesApi } from '../../../integrations/kubernetes/client.ts';
import { placeOf, ShownResources } from '../../../integrations/kubernetes/shown-resources.ts';
import type { Config } from '../../config/load.ts';
import { type Logger, reasonOf } from '../../process/log.ts';
import { repeatAsItSays } from '../../process/repeat.ts';
import { askingOf } from '../../process/rules.ts';
import type { OwnKnowledge } from '../pools/durable-memory.ts';

/** An open incident, according to the cell's own memory. */
export interface OpenRun {
  readonly id: string;
  readonly run: string;
  /** Changes when another kind of alert arrives. */
  readonly kinds: number;
}

interface ResourceMirrorParts {
  readonly resources: ShownResources;
  /** Open incidents. */
  readonly open: () => readonly OpenRun[];
  readonly seen: DurableValues<SeenIncident>;
  /** Incident and held object → name of the release that people are asked about. */
  readonly releases: MemoryKeeper<string>;
  readonly leases: Pick<LeaseMemory, 'endOfRelease'>;
  readonly containments: () => readonly HeldContainment[];
  /** Asks an incident about itself. Only for display: the cell itself knows that it is open, and what it holds. */
  readonly ask: (incident: string) => Promise<IncidentState>;
  readonly words: ResourceWords;
  /** How long ended incidents are shown. */
  readonly retentionMs: number;
  /** False if other cells show their own incidents, which must not be removed. */
  readonly isAlone: boolean;
  readonly log: Logger;
  readonly now?: () => number;
  readonly everyMs?: number;
}

const usualEveryMs = 5_000;
const absentMs = 60_000;
/** Interval for reading everything from the API server, to correct what somebody has changed: a thousand at a time. */
const readEveryMs = 30_000;
const readInThatTime = 1_000;
/**
 * Maximum number of incidents with news that are asked per look. An answer from one that is not in the workers' memory costs a tenth of a second of processor
 * time. For the others, of which only another cell can have news, one is asked per look, and each once a minute at most.
 */
const mostAsked = 20;
const askEveryMs = 60_000;
/** By then an incident's state includes what the cell has told it. */
const settledMs = 1_000;
const askMs = 2_000;
const dayMs = 86_400_000;

/**
 * Shows in the cluster what the cell knows: a resource for each incident and for each containment in force. It only writes: resources are read to correct them,
 * and no decision depends on them. If the API server does not have the kinds, it does nothing.
 */
export class ResourceMirror {
  readonly #parts: ResourceMirrorParts;
  readonly #now: () => number;
  readonly #releases: Memory<string>;
  /** The same as on disk. Each look needs all of them, and nobody else writes them. */
  readonly #seen: Map<string, SeenIncident>;
  /** For incidents that hold nothing: shown unchanged until they report something new, or are forgotten. */
  readonly #made = new WeakMap<SeenIncident, readonly ShownResource[]>();
  /** What was last written, by place. */
  readonly #written = new Map<string, ShownResource>();
  /** The problems last seen, and since when, by containment. */
  readonly #problems = new Map<string, { readonly text: string; readonly at: number }>();
  /** When it was last asked, by incident and run. */
  readonly #asked = new Map<string, { readonly at: number; readonly kinds: number }>();
  /** Incidents that the cell has news about, and since when. */
  readonly #changed = new Map<string, number>();
  #readAt = Number.NEGATIVE_INFINITY;
  #underway: Promise<boolean> | undefined;

  constructor(parts: ResourceMirrorParts) {
    this.#parts = parts;
    this.#now = parts.now ?? Date.now;
    const { seen } = parts;
    this.#seen = new Map(
      seen.keys().flatMap((key) => {
        const known = seen.get(key);
        return known ? [[key, known] as const] : [];
      }),
    );
    this.#releases = new Memory({ most: 10_000, retentionMs: 90 * dayMs, keeper: parts.releases });
  }

  /** A step has succeeded, or people have decided about it: its incident is asked again. */
  tell({ outcome, incident, objects, release }: StepOutcome): void {
    this.hears(incident);
    if (outcome !== 'done' || release === undefined) return;
    // Not under the step that the note names: after a head start, people are asked about the incident's own step.
    for (const { name } of objects) this.#releases.set(`${incident}\n${name}`, release);
  }

  /** Something was asked in it, or answered. */
  hears(incident: string): void {
    this.#changed.set(incident, this.#now());
  }

  start(signal: AbortSignal): void {
    const { everyMs = usualEveryMs } = this.#parts;
    void repeatAsItSays({ work: async () => ((await this.look()) ? everyMs : absentMs), signal });
  }

  /** Looks once; returns false if the cluster does not have the kinds. Never rejects. */
  look(): Promise<boolean> {
    this.#underway ??= this.#look()
      .catch((error: unknown) => {
        this.#parts.log.info({ reason: reasonOf(error) }, 'cannot show incidents and containments in the cluster');
        return true;
      })
      .finally(() => {
        this.#underway = undefined;
      });
    return this.#underway;
  }

  async #look(): Promise<boolean> {
    const { resources, isAlone } = this.#parts;
    const now = this.#now();
    const reads = now - this.#readAt >= readEveryMs * Math.max(1, this.#seen.size / readInThatTime);
    const found = reads ? await resources.list() : undefined;
    if (reads && !found) return false;
    const open = this.#parts.open();
    this.#followOpen(open, now);
    await this.#askIncidents(open, now);
    const wanted = new Map(this.#wanted(now).map((resource) => [placeOf(resource), resource]));
    for (const [place, resource] of wanted) {
      const known = this.#written.get(place);
      const there = found?.get(place)?.object;
      const isRight = found ? there !== undefined && resources.isAsShown(resource, there) : isDeepStrictEqual(known, resource);
      if (isRight) this.#written.set(place, resource);
      else await this.#try(place, resource, async () => resources.write(resource));
    }
    const others = new Map([...(found ?? [])].map(([place, { kind, object }]) => [place, shownOf(kind, object.metadata)]));
    for (const [place, resource] of this.#written) others.set(place, resource);
    for (const [place, resource] of others)
      if (!wanted.has(place) && (isAlone || resource.kind === 'Containment' || this.#written.has(place))) {
        await this.#try(place, undefined, async () => resources.remove(resource));
      }
    if (found) this.#readAt = now;
    return true;
  }

  async #try(place: string, resource: ShownResource | undefined, work: () => Promise<void>): Promise<void> {
    try {
      await work();
      if (resource) this.#written.set(place, resource);
      else this.#written.delete(place);
    } catch (error) {
      this.#parts.log.debug({ resource: place, reason: reasonOf(error) }, 'cannot write a resource; trying again');
    }
  }

  #followOpen(open: readonly OpenRun[], now: number): void {
    const runs = new Set(open.map(keyOf));
    for (const run of open) {
      const key = keyOf(run);
      if (!this.#seen.has(key)) this.#remember(key, { id: run.id, run: run.run, openedAt: now });
    }
    for (const [key, known] of this.#seen) {
      if (runs.has(key)) continue;
      if (known.endedAt === undefined) {
        this.#remember(key, { ...known, endedAt: now });
        this.hears(known.id);
      } else if (now - known.endedAt > this.#parts.retentionMs) {
        this.#seen.delete(key);
        this.#parts.seen.remove(key);
      }
    }
  }

  #remember(key: string, seen: SeenIncident): void {
    this.#seen.set(key, seen);
    this.#parts.seen.put(key, seen);
  }

  /** The last answer stays if the incident cannot be asked. */
  async #askIncidents(open: readonly OpenRun[], now: number): Promise<void> {
    const isSettled = (id: string): boolean => now - (this.#changed.get(id) ?? now) >= settledMs;
    const told: OpenRun[] = [];
    let longest: { readonly run: OpenRun; readonly at: number } | undefined;
    for (const run of open) {
      const asked = this.#askedOf(run);
      if (!asked || asked.kinds !== run.kinds || isSettled(run.id)) told.push(run);
      else if (now - asked.at >= askEveryMs && asked.at < (longest?.at ?? now)) longest = { run, at: asked.at };
    }
    for (const run of [...told.slice(0, mostAsked), ...(longest ? [longest.run] : [])]) {
      this.#changed.delete(run.id);
      this.#asked.set(keyOf(run), { at: now, kinds: run.kinds });
      await this.#askOne(keyOf(run));
    }
    // After its end it is asked once more, for its verdict.
    const openIds = new Set(open.map(({ id }) => id));
    const over = new Set([...this.#changed.keys()].filter((id) => !openIds.has(id)));
    if (over.size === 0) return;
    for (const id of over) this.#changed.delete(id);
    for (const [key, { id }] of [...this.#seen]) if (over.has(id) && this.#asked.delete(key)) await this.#askOne(key);
  }

  /** Answers from before a restart of this process are shown until there is news: asking all at once takes the workers minutes. */
  #askedOf(run: OpenRun): { readonly at: number; readonly kinds: number } | undefined {
    const key = keyOf(run);
    const asked = this.#asked.get(key);
    if (asked || !this.#seen.get(key)?.said) return asked;
    const before = { at: 0, kinds: run.kinds };
    this.#asked.set(key, before);
    return before;
  }

  async #askOne(key: string): Promise<void> {
    const { ask, log } = this.#parts;
    const known = this.#seen.get(key);
    if (!known) return;
    try {
      const state = await ask(known.id);
      if (state.incident.run !== known.run) return;
      this.#remember(key, { ...known, openedAt: Date.parse(state.openedAt) || known.openedAt, said: saidOf(state) });
    } catch (error) {
      log.debug({ incident: known.id, reason: reasonOf(error) }, 'cannot ask an incident what to show');
    }
  }

  #wanted(now: number): readonly ShownResource[] {
    const held = this.#parts.containments();
    const holding = Map.groupBy(held, ({ incident }) => incident);
    const incidents = [...this.#seen.values()].flatMap((known) => this.#incidentOf(known, holding.get(known.id)));
    const inForce = this.#inForce(held, now);
    return [...incidents, ...inForce];
  }

  #incidentOf(known: SeenIncident, held: readonly HeldContainment[] | undefined): readonly ShownResource[] {
    const { words } = this.#parts;
    if (held && known.endedAt === undefined) return [incidentResource(known, held, words) ?? []].flat();
    const shown = this.#made.get(known) ?? [incidentResource(known, [], words) ?? []].flat();
    this.#made.set(known, shown);
    return shown;
  }

  #inForce(held: readonly HeldContainment[], now: number): readonly ShownResource[] {
    const { words, leases } = this.#parts;
    const before = new Map(this.#problems);
    this.#problems.clear();
    return held.map((one) => {
      const end = leases.endOfRelease(this.#releases.get(`${one.incident}\n${one.target}`), one.terms);
      const until = shownUntil(end, one.terms, now);
      const text = one.problems.join('\n');
      const which = `${one.step} ${one.target} ${one.uid ?? ''}`;
      const since = before.get(which);
      const changedAt = since?.text === text ? since.at : since || text !== '' ? now : Date.parse(one.terms.at);
      this.#problems.set(which, { text, at: changedAt });
      return containmentResource(one, { until, changedAt, words });
    });
  }
}

/** Wraps the cell's activities: when people are asked, or answer, the incident's resource changes. */
export function hearingQuestions<Activities extends Pick<CellActivities, 'answerersTo' | 'verifyVote'>>(
  activities: Activities,
  hears: (incident: string) => void,
): Activities {
  const { answerersTo, verifyVote } = activities;
  return {
    ...activities,
    answerersTo: (asked) => answerersTo(asked).finally(() => hears(asked.question.incident.id)),
    verifyVote: (check) => verifyVote(check).finally(() => hears(check.question.incident.id)),
  };
}

/** Creates a cell's mirror, which looks from now on; undefined if the configuration disables it. */
export function showInCluster(options: {
  readonly config: Config;
  readonly api: KubernetesApi;
  readonly client: Client;
  readonly knowledge: Pick<OwnKnowledge, 'open' | 'votes' | 'seenIncidents' | 'stepReleases'>;
  readonly containments: () => readonly HeldContainment[];
  /** Whether anything may be written in a namespace: in others nothing is shown. */
  readonly mayWrite: (namespace: string) => boolean;
  readonly log: Logger;
  readonly signal: AbortSignal;
}): ResourceMirror | undefined {
  const { config, api, client, knowledge, containments, mayWrite, log, signal } = options;
  const { resources, ownNamespace, contact } = config.kubernetes;
  if (!resources.enabled) return undefined;
  const { open, seenIncidents, stepReleases, votes } = knowledge;
  const isShown = (id: string): boolean => {
    const subject = subjectOfIncident(id);
    return subject?.kind !== 'workload' || mayWrite(subject.namespace);
  };
  const mirror = new ResourceMirror({
    resources: new ShownResources(api, signal),
    open: () =>
      [...open.heads()].flatMap(([id, { first: run, kinds }]) => (run === undefined || !isShown(id) ? [] : [{ id, run, kinds }])),
    seen: seenIncidents,
    releases: stepReleases,
    leases: votes.leases,
    containments,
    ask: (id) =>
      client.withDeadline(Date.now() + askMs, () => client.workflow.getHandle(id).query<IncidentState>(incidentNames.stateQuery)),
    words: { ownNamespace, contact, groups: askingOf(config).groups },
    retentionMs: resources.retentionDays * dayMs,
    isAlone: config.guardrails.cells === 1,
    log,
  });
  mirror.start(signal);
  return mirror;
}

function keyOf({ id, run }: Pick<OpenRun, 'id' | 'run'>): string {
  return `${id}\n${run}`;
}

function shownOf(
  kind: ShownResource['kind'],
  { name, namespace = '' }: { readonly name: string; readonly namespace?: string },
): Pick<ShownResource, 'kind' | 'namespace' | 'name'> {
  return { kind, namespace, name };
}
