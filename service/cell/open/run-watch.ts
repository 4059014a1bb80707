import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { type Client, WorkflowNotFoundError } from '@temporalio/client';
import type { WorkerDeploymentVersion } from '@temporalio/common';
import { LRUCache } from 'lru-cache';
import type { JudgementMemory } from '../../../activities/memory/judgement-memory.ts';
import type { RecordMemory } from '../../../activities/memory/record-memory.ts';
import type { StartMemory } from '../../../activities/memory/start-memory.ts';
import { resetText } from '../../../core/audit/resets/record-resets.ts';
import type { ControlActivities, HaltedRunReport } from '../../../core/decide/control.ts';
import { rerunText } from '../../../core/incident/begun-again.ts';
import {
  type IncidentNote,
  type IncidentRef,
  type IncidentStart,
  incidentNames,
  subjectOfIncident,
} from '../../../core/incident/incident.ts';
import type { IncidentGateway } from '../../intake/send/incident-gateway.ts';
import { startOptionsOf } from '../../intake/send/start-options.ts';
import { type Logger, reasonOf } from '../../process/log.ts';
import { Turns } from '../../process/repeat.ts';
import { isOpenRun } from '../../temporal/held-up-runs.ts';
import type { HaltedRuns } from '../../temporal/runner/halted-runs.ts';
import { StillIncidents, type StillLook } from '../../temporal/still-incidents.ts';
import { beginningsKnownTo, hasSignedEnd, isSetBack } from '../run-ends.ts';
import type { OpenBook, OpenHead, OpenIncident } from './open-book.ts';
import type { OpenIncidents } from './open-incidents.ts';

const lookEveryMs = 20_000;
/** Listing thousands takes Temporal seconds, so this leaves it three quarters of the time for other work. A terminated run is still noticed within a minute. */
const pausesPerLook = 3;
const mostBetweenLooksMs = 45_000;
const callMs = 5_000;
/** Incidents beyond this number are requested one by one, in turn. */
const mostListed = 20_000;
/** If the list is incomplete, number of missing incidents requested at each look: requesting thousands one by one would overload Temporal. */
const mostUnlisted = 200;
const longestPauseMs = 3_600_000;
const firstPauseMs = 60_000;
const mostRemembered = 10;
/** Until then the replica that has begun an incident sees its records leave, or hands them over. */
const othersAfterMs = 5 * 60_000;
const mostOthers = 10;

interface RunWatchParts {
  readonly kept: OpenBook;
  readonly open: OpenIncidents;
  readonly starts: StartMemory;
  readonly judgements?: Pick<JudgementMemory, 'ended'>;
  /** Records that the audit store does not have yet. */
  readonly records: Pick<RecordMemory, 'before' | 'forget' | 'waitingFor'>;
  readonly note: (incident: string, note: IncidentNote) => Promise<void>;
  /** The build that this cell told Temporal to begin a run with; the run is identified by its first run. Undefined if unknown. */
  readonly begunWith?: (incident: IncidentRef) => WorkerDeploymentVersion | undefined;
  /** Reports a run that is set aside to the cluster's control workflow. Returns false if it did not arrive. */
  readonly tellHalted?: (report: HaltedRunReport) => Promise<boolean>;
  /** Playbooks that the alerts of a run call for, by its first run. */
  readonly playbooksOf?: (incident: IncidentRef) => readonly string[];
  /** Pods of an incident that are contained, as `namespace/name`. */
  readonly containedBy?: (incident: string) => readonly string[];
  readonly setAside?: Pick<HaltedRuns, 'untold' | 'told'>;
  readonly log: Logger;
  readonly now?: () => number;
}

/** A person's order to have a run begun again, as the cell has verified it. */
interface OrderedRerun {
  readonly name: string;
  readonly reason: string;
}

const mostOrdered = 1_000;

type Stand =
  | { readonly kind: 'running'; readonly first: string; readonly run: string }
  | { readonly kind: 'ended' }
  | { readonly kind: 'lost'; readonly how: string };

/**
 * Watches over the runs of open incidents. Which incidents are open is for the cell to know: anyone who can reach Temporal can terminate, reset or delete a
 * workflow. An incident without an end signed by a cell is begun again with the alerts stored here, so that its questions are asked and its leases held.
 */
export class RunWatch {
  readonly #parts: RunWatchParts;
  readonly #now: () => number;
  readonly #still: StillIncidents;
  /** For incidents that another replica has begun: the run that received the records of those before it. */
  readonly #handedTo = new Map<string, string>();
  readonly #unlisted = new Turns(mostUnlisted);
  /** Run → who had it ended. */
  readonly #ordered = new LRUCache<string, OrderedRerun>({ max: mostOrdered });

  constructor(parts: RunWatchParts) {
    this.#parts = parts;
    this.#now = parts.now ?? Date.now;
    this.#still = new StillIncidents({
      log: parts.log,
      now: this.#now,
      pinnedTo: (id) => {
        const run = parts.kept.get(id)?.first;
        return run === undefined ? undefined : parts.begunWith?.({ id, run });
      },
    });
  }

  /** Number of incidents that made no progress at the last look. */
  standingStill(): number {
    return this.#still.count;
  }

  /** A person has ordered, verified by this cell, that a run is ended and its incident begun again. */
  ordered(run: string, order: OrderedRerun): void {
    this.#ordered.set(run, order);
  }

  /** Looks from time to time, until `signal`. Never rejects. */
  async follow(
    options: {
      readonly client: Client;
      readonly gateway: IncidentGateway;
      readonly signal: AbortSignal;
      readonly everyMs?: number;
      readonly othersMs?: number;
    } & Pick<StillLook, 'stillMs' | 'unreadableMs'>,
  ): Promise<void> {
    const { client, gateway, signal, everyMs = lookEveryMs, stillMs, unreadableMs } = options;
    const beginAgain: StillLook['beginAgain'] = (id, run) => this.#leaveUnreadable(id, run, { client, gateway });
    for (let tookMs = 0; !signal.aborted; ) {
      const pauseMs = Math.max(everyMs, Math.min(tookMs * pausesPerLook, mostBetweenLooksMs));
      await sleep(pauseMs, undefined, { signal, ref: false }).catch(() => undefined);
      const begunAt = performance.now();
      if (!signal.aborted)
        await this.#still.look({ client, running: await this.#look(options), beginAgain, stillMs, unreadableMs });
      if (!signal.aborted) await this.#lookAtOthers(options);
      if (!signal.aborted) await this.#tellHalted();
      tookMs = performance.now() - begunAt;
    }
  }

  /** Repeated until the control workflow has the report: nobody else tells people. */
  async #tellHalted(): Promise<void> {
    const { setAside, tellHalted, playbooksOf, containedBy } = this.#parts;
    for (const one of setAside?.untold() ?? []) {
      const { workflow: id, run, why } = one;
      const isIncident = subjectOfIncident(id) !== undefined;
      const incident = { id, run: this.#parts.kept.get(id)?.first ?? run };
      const report = { incident, why, playbooks: playbooksOf?.(incident) ?? [], contained: containedBy?.(id) ?? [] };
      if (!isIncident || (await tellHalted?.(report))) setAside?.told(one);
    }
  }

  async #look(options: {
    readonly client: Client;
    readonly gateway: IncidentGateway;
    readonly signal: AbortSignal;
  }): Promise<readonly string[]> {
    const { client, signal } = options;
    const { kept, log } = this.#parts;
    const { runs, isWhole } = await runningIn(client);
    const ids = [...kept.ids()];
    const unlike = ids.filter((id) => !isAsListed(kept.head(id), runs.get(id)));
    const asked = new Set(isWhole ? unlike : this.#unlisted.next(unlike));
    // Nothing else is known about incidents that are not requested this time.
    const running = ids.filter((id) => !asked.has(id));
    for (const id of asked) {
      if (signal.aborted) return [];
      const known = kept.get(id);
      if (!known) continue;
      try {
        if (known.before) await this.#joinBefore(id, known, known.before, options);
        const stand = await standOf(client, id, known.first);
        await this.#actOn(id, kept.get(id) ?? known, stand, options);
        // Incidents that Temporal does not list are still checked: it does not list paused ones. One that was reset first could not even be told what it has forgotten.
        if (stand.kind === 'running' && kept.get(id)?.first === stand.first) running.push(id);
      } catch (error) {
        // Temporal is unreachable: the check is repeated. Stored data stays.
        log.info({ incident: id, reason: reasonOf(error) }, 'cannot tell whether an incident is still running');
      }
    }
    return running;
  }

  /**
   * Tasks of incidents begun by another replica of this cell run here as well; this handles the records that this replica has seen them make. Never rejects.
   */
  async #lookAtOthers({
    client,
    othersMs = othersAfterMs,
  }: {
    readonly client: Client;
    readonly othersMs?: number;
  }): Promise<void> {
    const { kept, records, note, log } = this.#parts;
    const others = records
      .waitingFor(othersMs, this.#now())
      .filter(({ workflow }) => subjectOfIncident(workflow) && !kept.head(workflow));
    for (const { workflow: id, first: known } of others.slice(0, mostOthers)) {
      try {
        const stand = await standOf(client, id, known);
        if (stand.kind === 'ended') {
          records.forget(id);
          this.#handedTo.delete(id);
        }
        if (stand.kind !== 'running') continue;
        const { first, run } = stand;
        const wasSetBack = first === known && (await isSetBack(client, id, run));
        if (first === known && !wasSetBack) continue;
        // The note is in the spool, and the run that accepts it sends the records.
        if (this.#handedTo.get(id) === run) continue;
        const about = wasSetBack ? run : known;
        const text = wasSetBack ? resetText : endedText('another replica of the cell has started a new one');
        await note(id, this.#restarted(id, { first, run, isSetBack: wasSetBack }, text, about));
        this.#handedTo.set(id, run);
      } catch (error) {
        log.info({ incident: id, reason: reasonOf(error) }, 'cannot tell whether records of an incident are missing');
      }
    }
  }

  async #actOn(
    id: string,
    known: OpenIncident,
    stand: Stand,
    { client, gateway }: { readonly client: Client; readonly gateway: IncidentGateway },
  ): Promise<void> {
    const { open, kept, starts, note } = this.#parts;
    if (stand.kind === 'ended') return this.#hasEnded(id, known);
    if (stand.kind === 'lost') {
      // Known here, but still on its way from the spool to an unreachable or slow Temporal: nobody can have terminated it.
      const neverRan = known.first === undefined && known.told !== true;
      return neverRan ? undefined : this.#beginAgain(id, known, stand.how, gateway);
    }
    const { first, run } = stand;
    // An ended incident that is reset stays ended: its run ends at its first call, or the intake ends it.
    if (first === known.first && (await starts.comesFrom(id, run)) === 'ended') return this.#hasEnded(id, known);
    // The same applies to a replayed start.
    if (!starts.mayRun(id, first, run)) return this.#beginAgain(id, known, 'a start was replayed under its id', gateway);
    if (first !== known.first && !(await beginningsKnownTo(client, starts)(id, first)))
      return this.#beginAgain(id, known, 'another workflow has taken its id', gateway);
    // Continued as new, or reset to before it was told some alerts: it does not count again what it already knows.
    const told =
      known.run === undefined || known.run === run ? undefined : await gateway.signal(id, open.batchOf(id, known, `run/${run}`));
    if (told !== undefined && told.kind !== 'signalled') return;
    if (told !== undefined && first === known.first && (await isSetBack(client, id, run))) {
      await note(id, this.#restarted(id, { first, run, isSetBack: true }, resetText));
    }
    const { startedAt, ...now } = kept.get(id) ?? known;
    kept.put(id, { ...now, first, run, ...(first === now.first && startedAt !== undefined && { startedAt }) });
  }

  #hasEnded(id: string, known: OpenIncident): void {
    const { kept, starts, judgements, records } = this.#parts;
    // It was told something meanwhile, or its next run was begun: the check is repeated.
    if (!isDeepStrictEqual(kept.get(id), known)) return;
    if (known.first !== undefined) starts.ended(id, known.first);
    judgements?.ended(id);
    records.forget(id);
    this.#still.forget(id);
    kept.remove(id);
  }

  /** The previous run was terminated from outside, and the next alert has started another: what the previous one knew is passed on to the new one. */
  async #joinBefore(
    id: string,
    known: OpenIncident,
    { first, alerts }: NonNullable<OpenIncident['before']>,
    { client, gateway }: { readonly client: Client; readonly gateway: IncidentGateway },
  ): Promise<void> {
    const { open, note } = this.#parts;
    const isOver = await hasSignedEnd(client, incidentNames.workflow, { id, run: first, first });
    if (!isOver) {
      const told = await gateway.signal(id, open.batchOf(id, { ...known, alerts }, `before/${first}`));
      if (told.kind !== 'signalled') return;
      const newest = { first: known.first ?? '', run: known.run ?? '', isSetBack: false };
      await note(id, this.#restarted(id, newest, endedText('the previous run'), first));
    }
    open.joined(id, first, isOver ? 'over' : 'told');
  }

  /** It is unknown from which event on the history is no longer ours, and so to where it could be reset. */
  async #leaveUnreadable(
    id: string,
    run: { readonly id: string; readonly first: string },
    { client, gateway }: { readonly client: Client; readonly gateway: IncidentGateway },
  ): Promise<void> {
    const known = this.#parts.kept.get(id);
    // A run that was reset and has been unreadable since has not yet been told what it has forgotten: it is not known by its own id.
    if (!known || (known.run !== run.id && known.first !== run.first) || !this.#mayBeginAgain(known)) return;
    const how = 'its history could not be replayed';
    await client.withDeadline(Date.now() + callMs, () => client.workflow.getHandle(id, run.id).terminate(how));
    await this.#beginAgain(id, known, how, gateway);
  }

  #mayBeginAgain({ begunAgain }: OpenIncident): boolean {
    const pauseMs = Math.min(longestPauseMs, firstPauseMs * 2 ** (begunAgain.length - 1));
    const last = begunAgain.at(-1);
    return last === undefined || this.#now() - last >= pauseMs;
  }

  async #beginAgain(id: string, known: OpenIncident, how: string, gateway: IncidentGateway): Promise<void> {
    const { open, kept, note, log } = this.#parts;
    const subject = subjectOfIncident(id);
    const now = this.#now();
    const last = known.begunAgain.at(-1);
    if (!subject || !this.#mayBeginAgain(known)) return;
    const lasted = last !== undefined && now - last > longestPauseMs;
    const begunAgain = [...(lasted ? [] : known.begunAgain), now].slice(-mostRemembered);
    const batch = open.batchOf(id, known, `again/${known.first ?? ''}/${now}`);
    const start: IncidentStart = { subject, batch };
    const result = await gateway.start(id, start, startOptionsOf({ subject, severity: known.severity, batch }));
    if (result.kind === 'unavailable') return;
    const order = this.#ordered.get(known.run ?? '') ?? this.#ordered.get(known.first ?? '');
    if (order) log.info({ incident: id, by: order.name, result: result.kind }, 'a person had an incident begun again');
    else log.error({ incident: id, how, result: result.kind }, 'an incident was terminated from outside; it is started again');
    const { before: _, ...heard } = kept.get(id) ?? known;
    kept.put(id, {
      ...heard,
      ...(result.kind === 'started' && { first: result.run, run: result.run, startedAt: now }),
      begunAgain,
    });
    if (result.kind === 'refused') return;
    const run = result.kind === 'started' ? result.run : '';
    const build = this.#parts.begunWith?.({ id, run })?.buildId;
    const text = order ? rerunText({ ...order, build }) : endedText(how);
    await note(id, this.#restarted(id, { first: run, run, isSetBack: false }, text, known.first ?? id));
  }

  /** Includes the records that had not left the previous run. */
  #restarted(id: string, newest: Parameters<RecordMemory['before']>[1], text: string, about = newest.run): IncidentNote {
    const records = this.#parts.records.before(id, newest);
    return { id: `restarted/${about}`, kind: 'incident.restarted', text, about, ...(records.length > 0 && { records }) };
  }
}

/** The same activities, which also tell of each order to begin an incident again that the cell has found valid. */
export function hearingReruns<Activities extends Pick<ControlActivities, 'takeOrder'>>(
  activities: Activities,
  ordered: (run: string, order: OrderedRerun) => void,
): Activities {
  return {
    ...activities,
    takeOrder: async (signed) => {
      const answer = await activities.takeOrder(signed);
      if (answer.ok && answer.order.order.kind === 'incident.rerun') {
        const { run, reason } = answer.order.order;
        ordered(run, { name: answer.name, reason });
      }
      return answer;
    },
  };
}

function endedText(how: string): string {
  return `A run of this incident did not end normally (${how}): it is started again, and open questions are asked again.`;
}

/** Whether it still runs as last seen, so that nothing has to be requested. */
function isAsListed(head: OpenHead | undefined, run: string | undefined): boolean {
  return head?.run !== undefined && head.run === run && !head.hasBefore;
}

/**
 * Incidents that Temporal lists as running: id → run, as far as it lists them in time. The list lags behind and may be incomplete: then each missing one is
 * requested.
 */
async function runningIn(client: Client): Promise<{ readonly runs: ReadonlyMap<string, string>; readonly isWhole: boolean }> {
  const { namespace } = client.options;
  const query = `WorkflowType = '${incidentNames.workflow}' AND ExecutionStatus = 'Running'`;
  const runs = new Map<string, string>();
  try {
    for (let token: Uint8Array | undefined; runs.size < mostListed; ) {
      const asked = { namespace, query, pageSize: 1_000, ...(token && { nextPageToken: token }) };
      const page = await client.withDeadline(Date.now() + callMs, () => client.workflowService.listWorkflowExecutions(asked));
      for (const { execution } of page.executions)
        if (execution?.workflowId && execution.runId) runs.set(execution.workflowId, execution.runId);
      token = page.nextPageToken;
      if (token.length === 0) return { runs, isWhole: true };
    }
  } catch {
    // It is slow or unreachable: at least those already listed need not be requested.
  }
  return { runs, isWhole: false };
}

/** Returns the state of an incident. Only a cell can say that it has ended by itself. @throws what Temporal throws if it does not answer */
async function standOf(client: Client, id: string, first: string | undefined): Promise<Stand> {
  const handle = client.workflow.getHandle(id);
  try {
    const found = await client.withDeadline(Date.now() + callMs, () => handle.describe());
    const { status, runId, raw } = found;
    const firstOfNewest = raw.workflowExecutionInfo?.firstRunId ?? runId;
    if (isOpenRun(found)) return { kind: 'running', first: firstOfNewest, run: runId };
    const last = first === undefined || first === firstOfNewest ? runId : first;
    return (await hasSignedEnd(client, incidentNames.workflow, { id, run: last, first: first ?? firstOfNewest }))
      ? { kind: 'ended' }
      : { kind: 'lost', how: status.name.toLowerCase().replaceAll('_', ' ') };
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return { kind: 'lost', how: 'deleted' };
    throw error;
  }
}
