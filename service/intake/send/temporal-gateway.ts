import { type Client, WorkflowExecutionAlreadyStartedError, WorkflowNotFoundError } from '@temporalio/client';
import {
  defineSearchAttributeKey,
  type SearchAttributePair,
  SearchAttributeType,
  TypedSearchAttributes,
  type WorkerDeploymentVersion,
  WorkflowIdConflictPolicy,
  WorkflowIdReusePolicy,
} from '@temporalio/common';
import { LRUCache } from 'lru-cache';
import { FirebreakError } from '../../../core/errors.ts';
import { type AlertBatch, type IncidentNote, type IncidentStart, incidentNames } from '../../../core/incident/incident.ts';
import { searchAttributes } from '../../../core/incident/search-attributes.ts';
import { grpc, grpcCode } from '../../temporal/grpc-status.ts';
import type { IntakeLog } from '../log.ts';
import type { IncidentGateway, SignalResult, StartOptions, StartResult } from './incident-gateway.ts';

/** Milliseconds until a start or signal counts as unanswered and is sent again. */
const answerWithinMs = 5_000;
const longestAttribute = 200;
const mostRules = 10;
/** Maximum number of remembered runs. A run that is not remembered is asked to identify itself. */
const mostRuns = 20_000;
/** A run whose first task is done has more events than this; ours completes it in less than a second. */
const beganEvents = 4;
const beganWithinMs = 60_000;

interface TemporalGatewayOptions {
  /** Must use the worker's own NativeConnection: only then can a start be eager. */
  readonly client: Client;
  readonly taskQueue: string;
  readonly begins: (id: string, start: IncidentStart) => Beginning;
  /** Returns false for a run of a start that was replayed, or that was reset after it had ended. `first`: its first run. Absent: every run may run. */
  readonly mayRun?: (id: string, first: string, run: string) => Promise<boolean>;
  /** Returns false for a run that no cell has begun, by its first run; called if the run does not answer. Absent: every run may be ours. */
  readonly wasBegun?: (id: string, first: string) => Promise<boolean>;
  readonly log: IntakeLog;
}

/** How an incident begins. */
export interface Beginning {
  /** Input of the workflow, built from what the intake knows. */
  readonly input: unknown;
  /** The build it starts with, if that is certain. */
  readonly build?: string;
  /** Absent: starts on Temporal's current build. */
  readonly pinnedTo?: WorkerDeploymentVersion;
  /** Whether the worker on this client has its build, because an eager start would run on that worker. Absent: it has. */
  readonly mayBeEager?: boolean;
}

/** Incidents as workflows of a Temporal namespace. */
export function temporalGateway(options: TemporalGatewayOptions): IncidentGateway {
  return new TemporalGateway(options);
}

class TemporalGateway implements IncidentGateway {
  readonly #options: TemporalGatewayOptions;
  /** For each incident, the run that this gateway started or that a cell has confirmed. Alerts go to that run. */
  readonly #runs = new LRUCache<string, string>({ max: mostRuns });
  #warnedOfAttributes = false;

  constructor(options: TemporalGatewayOptions) {
    this.#options = options;
  }

  async start(id: string, start: IncidentStart, options: StartOptions): Promise<StartResult> {
    const first = await this.#tryStart(id, start, options);
    if (first !== 'invalid') return first;
    // An unregistered attribute fails the start: an alert must not be lost for the sake of a list.
    if (!this.#warnedOfAttributes) {
      this.#warnedOfAttributes = true;
      this.#options.log.error({ incident: id }, 'Temporal refuses the search attributes: incidents are started without them');
    }
    const second = await this.#tryStart(id, start, { ...options, searchAttributes: {} });
    return second === 'invalid' ? { kind: 'refused', detail: 'Temporal refuses the start as invalid' } : second;
  }

  async #tryStart(id: string, start: IncidentStart, options: StartOptions): Promise<StartResult | 'invalid'> {
    const { client, taskQueue, begins } = this.#options;
    const { input, build, pinnedTo, mayBeEager } = begins(id, start);
    try {
      const handle = await client.withDeadline(Date.now() + answerWithinMs, () =>
        client.workflow.start(incidentNames.workflow, {
          workflowId: id,
          taskQueue,
          args: [input],
          requestEagerStart: options.eager && mayBeEager !== false,
          // USE_EXISTING would drop the alert without an error.
          workflowIdConflictPolicy: WorkflowIdConflictPolicy.FAIL,
          workflowIdReusePolicy: WorkflowIdReusePolicy.ALLOW_DUPLICATE,
          priority: { priorityKey: options.priority },
          typedSearchAttributes: typedAttributes(options),
          ...(pinnedTo && { versioningOverride: { pinnedTo } }),
        }),
      );
      this.#runs.set(id, handle.firstExecutionRunId);
      return { kind: 'started', run: handle.firstExecutionRunId, build };
    } catch (error) {
      const code = grpcCode(error);
      if (error instanceof WorkflowExecutionAlreadyStartedError || code === grpc.alreadyExists)
        return this.#whoRuns(id).catch(unavailable);
      return code === grpc.invalidArgument ? 'invalid' : unavailable(error);
    }
  }

  signal(id: string, batch: AlertBatch): Promise<SignalResult> {
    return this.#send(id, incidentNames.alertsSignal, batch);
  }

  note(id: string, note: IncidentNote): Promise<SignalResult> {
    return this.#send(id, incidentNames.noteSignal, note);
  }

  async #send(id: string, signal: string, payload: AlertBatch | IncidentNote): Promise<SignalResult> {
    const { client } = this.#options;
    try {
      const found = this.#runs.has(id) ? undefined : await this.#whoRuns(id);
      if (found?.kind === 'unavailable') return found;
      const handle = client.workflow.getHandle(id, this.#runs.get(id));
      await client.withDeadline(Date.now() + answerWithinMs, () => handle.signal(signal, payload));
      return { kind: 'signalled' };
    } catch (error) {
      const code = grpcCode(error);
      if (error instanceof WorkflowNotFoundError || code === grpc.notFound) {
        // The run has ended, or continued as new: in that case the next start reports it as already started, and finds the run.
        this.#runs.delete(id);
        return { kind: 'not-found' };
      }
      // Both are temporary: a full run continues as new, a closing one ends.
      if (code === grpc.invalidArgument || code === grpc.resourceExhausted) return { kind: 'limit' };
      return unavailable(error);
    }
  }

  /**
   * Checks that the run with this incident's id is run by our cell, which must confirm it. Anyone who can reach Temporal can start a workflow under any id, on
   * their own queue or on one that nobody serves; alerts sent to it are lost. Such a run is terminated.
   * @throws what Temporal throws if there is no run
   */
  async #whoRuns(id: string): Promise<{ readonly kind: 'already-started' } | ReturnType<typeof unavailable>> {
    const { client, taskQueue, mayRun, wasBegun, log } = this.#options;
    const { type, runId, startTime, raw, ...running } = await client.withDeadline(Date.now() + answerWithinMs, () =>
      client.workflow.getHandle(id).describe(),
    );
    const handle = client.workflow.getHandle(id, runId);
    const first = raw.workflowExecutionInfo?.firstRunId ?? runId;
    const isOfOurKind = type === incidentNames.workflow && running.taskQueue === taskQueue;
    let isOurs = isOfOurKind && (await mayRun?.(id, first, runId)) !== false;
    try {
      if (isOurs) await client.withDeadline(Date.now() + answerWithinMs, () => handle.query(incidentNames.stateQuery));
    } catch (error) {
      const neverBegan = running.historyLength < beganEvents && Date.now() - startTime.getTime() > beganWithinMs;
      isOurs = !neverBegan && !(error instanceof FirebreakError) && (await wasBegun?.(id, first)) !== false;
      // Its worker is busy or catching up: the alerts are kept until it answers.
      if (isOurs) return unavailable(error);
    }
    if (isOurs) {
      this.#runs.set(id, runId);
      return { kind: 'already-started' };
    }
    log.error(
      { incident: id, run: runId, type },
      'terminated a workflow that uses the id of an incident but was started by no cell',
    );
    await client.withDeadline(Date.now() + answerWithinMs, () => handle.terminate('it was not started by a cell'));
    return { kind: 'unavailable', detail: 'another workflow had the id' };
  }
}

/** Reports only the code: a client's error messages may contain its arguments. */
function unavailable(error: unknown): { readonly kind: 'unavailable'; readonly detail: string } {
  const code = grpcCode(error);
  return { kind: 'unavailable', detail: code === undefined ? 'no answer from Temporal' : `gRPC status ${code}` };
}

function typedAttributes({ searchAttributes: values }: StartOptions): TypedSearchAttributes {
  const pairs: SearchAttributePair[] = [];
  for (const { name, type } of searchAttributes) {
    const value = values[name];
    if (value === undefined) continue;
    const list = (typeof value === 'string' ? [value] : value).slice(0, mostRules).map((text) => text.slice(0, longestAttribute));
    if (type === 'KeywordList') {
      pairs.push({ key: defineSearchAttributeKey(name, SearchAttributeType.KEYWORD_LIST), value: list });
    } else {
      pairs.push({ key: defineSearchAttributeKey(name, SearchAttributeType.KEYWORD), value: list[0] ?? '' });
    }
  }
  return new TypedSearchAttributes(pairs);
}
