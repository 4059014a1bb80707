import { ApplicationFailure } from '@temporalio/common';
import { DefaultLogger, type LogEntry, Runtime } from '@temporalio/worker';
import { isObject } from '../../core/text/plain-json.ts';
import { RepeatedTrouble } from './repeated-trouble.ts';
import { type PollLog, UnansweredPolls, type UnansweredPollsOptions } from './unanswered-polls.ts';
import { sayingUnreplayed, UnreplayedRuns, type UnreplayedRunsOptions } from './unreplayed-runs.ts';

interface RuntimeOptions extends Omit<UnansweredPollsOptions, 'log'>, Omit<UnreplayedRunsOptions, 'log'> {
  readonly log: PollLog & { warn(fields: object, message: string): void };
}

/** Errors of the core, repeated calls from the sixth attempt on (polls become errors only after a minute and a half), and the outcomes of workflow tasks. */
export const coreFilter = `ERROR,temporalio_client::retry=WARN,${sayingUnreplayed}=WARN`;

/** SDK warnings about what is intentional: the pools and the desk only have activities. */
const meantSo: ReadonlySet<string> = new Set(['No workflows registered, not polling for workflow tasks']);

interface Listening {
  readonly log: RuntimeOptions['log'];
  readonly polls: UnansweredPolls;
  readonly unreplayed: UnreplayedRuns;
  readonly failed: FailedCalls;
}

let listening: Listening | undefined;

/**
 * One runtime per process; its lines join ours, along with what playbooks log: of the SDK's own lines only its warnings. If a service starts again in the same
 * process, it receives the lines from then on.
 */
export function installRuntime({ log: to, ...options }: RuntimeOptions): void {
  const isInstalled = listening !== undefined;
  listening = {
    log: to,
    polls: new UnansweredPolls({ log: to, ...options }),
    unreplayed: new UnreplayedRuns({ log: to, ...options }),
    failed: new FailedCalls(),
  };
  if (isInstalled) return;
  Runtime.install({
    logger: new DefaultLogger('INFO', ({ level, message, meta }: LogEntry) => {
      if (!listening) return;
      const { log, polls, unreplayed, failed } = listening;
      if (logPlaybookLine(log, message, meta)) return;
      if (level === 'INFO') return;
      if (polls.takes({ message, error: meta?.error }) || meantSo.has(message)) return;
      if (meta && unreplayed.takes(meta)) return;
      // The caller of a single call knows more: whether it is retried, and what for. Workflow tasks are retried automatically.
      const target: unknown = meta?.target;
      if (level !== 'ERROR' && (target === 'temporalio_client::retry' || target === sayingUnreplayed)) return;
      const incident = typeof meta?.workflowId === 'string' && { incident: meta.workflowId };
      const about = failed.of(meta);
      if (!about) return;
      const fields = { source: 'temporal', ...incident, ...about };
      if (level === 'ERROR') log.error(fields, message);
      else log.warn(fields, message);
    }),
    telemetryOptions: { logging: { forward: {}, filter: coreFilter } },
    shutdownSignals: [],
  });
}

/** Logs what a playbook says; that it has stopped as a warning, since its author waits for it. False: the line is none of a playbook. */
export function logPlaybookLine(
  log: Pick<RuntimeOptions['log'], 'info' | 'warn'>,
  message: string,
  meta: LogEntry['meta'],
): boolean {
  const said = meta?.firebreakPlaybook;
  if (!isObject(said)) return false;
  // No field besides: what leaves the workflow's process may pretend to be another line, or of another incident.
  const { playbook, subject, fields, stopped } = said;
  const about = {
    ...(typeof meta?.workflowId === 'string' && { incident: meta.workflowId }),
    ...{ playbook, subject, fields, stopped },
  };
  if (stopped === true) log.warn(about, message);
  else log.info(about, message);
  return true;
}

const quietMs = 600_000;

/**
 * Activities that failed: which one and with which code, since the text is on the incident's record. One that Temporal retries automatically – Slack takes a
 * message a second, and in a storm hundreds wait – is logged once, and then at growing intervals.
 */
export class FailedCalls {
  readonly #troubles = new Map<string, RepeatedTrouble>();
  readonly #now: () => number;

  constructor(options: { readonly now?: () => number } = {}) {
    this.#now = options.now ?? Date.now;
  }

  /** What to log for a line of the SDK: nothing extra if it is about no activity, and undefined if it was logged recently. */
  of(meta: LogEntry['meta']): object | undefined {
    const { activityType: activity, attempt, error } = meta ?? {};
    if (typeof activity !== 'string') return {};
    const failure = error instanceof ApplicationFailure ? error : undefined;
    const told = { activity, ...(typeof attempt === 'number' && { attempt }), ...(failure?.type && { code: failure.type }) };
    if (failure?.nonRetryable !== false) return told;
    const kind = `${activity} ${failure.type}`;
    const trouble = this.#troubles.get(kind) ?? new RepeatedTrouble({ now: this.#now });
    this.#troubles.set(kind, trouble);
    if ((trouble.quietForMs() ?? 0) > quietMs) trouble.over();
    const soFar = trouble.met(kind);
    return soFar && { ...told, ...soFar };
  }
}
