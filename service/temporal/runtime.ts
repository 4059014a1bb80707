import { ApplicationFailure } from '@temporalio/common';
import { DefaultLogger, type LogEntry, Runtime } from '@temporalio/worker';
import { isObject } from '../../core/text/plain-json.ts';
import { type PollLog, UnansweredPolls, type UnansweredPollsOptions } from './unanswered-polls.ts';
import { sayingUnreplayed, UnreplayedRuns, type UnreplayedRunsOptions } from './unreplayed-runs.ts';

export interface RuntimeOptions extends Omit<UnansweredPollsOptions, 'log'>, Omit<UnreplayedRunsOptions, 'log'> {
  readonly log: PollLog & { warn(fields: object, message: string): void };
}

/**
 * Errors of the core, from its sixth try on that a call is repeated (polls become errors only after a minute and a half), and what becomes of
 * the tasks of workflows.
 */
export const coreFilter = `ERROR,temporalio_client::retry=WARN,${sayingUnreplayed}=WARN`;

/** What the SDK warns of and is meant so: the pools and the desk have activities alone. */
const meantSo: ReadonlySet<string> = new Set(['No workflows registered, not polling for workflow tasks']);

interface Listening {
  readonly log: RuntimeOptions['log'];
  readonly polls: UnansweredPolls;
  readonly unreplayed: UnreplayedRuns;
}

let listening: Listening | undefined;

/**
 * One runtime a process; its lines join ours, with what playbooks say: of the SDK's own only what it warns of. A service that begins anew in the same
 * process is who is told from then on.
 */
export function installRuntime({ log: to, ...options }: RuntimeOptions): void {
  const isInstalled = listening !== undefined;
  listening = {
    log: to,
    polls: new UnansweredPolls({ log: to, ...options }),
    unreplayed: new UnreplayedRuns({ log: to, ...options }),
  };
  if (isInstalled) return;
  Runtime.install({
    logger: new DefaultLogger('INFO', ({ level, message, meta }: LogEntry) => {
      if (!listening) return;
      const { log, polls, unreplayed } = listening;
      const said = meta?.firebreakPlaybook;
      if (isObject(said))
        return log.info({ ...(typeof meta?.workflowId === 'string' && { incident: meta.workflowId }), ...said }, message);
      if (level === 'INFO') return;
      if (polls.takes({ message, error: meta?.error }) || meantSo.has(message)) return;
      if (meta && unreplayed.takes(meta)) return;
      // Of single calls their caller knows more: whether it is sent again, and what for. Tasks of workflows are done again by themselves.
      const target: unknown = meta?.target;
      if (level !== 'ERROR' && (target === 'temporalio_client::retry' || target === sayingUnreplayed)) return;
      const incident = typeof meta?.workflowId === 'string' && { incident: meta.workflowId };
      const fields = { source: 'temporal', ...incident, ...failedCall(meta) };
      if (level === 'ERROR') log.error(fields, message);
      else log.warn(fields, message);
    }),
    telemetryOptions: { logging: { forward: {}, filter: coreFilter } },
    shutdownSignals: [],
  });
}

/** Of a call that failed: which one, and by the catalogue why. Its text is on the incident's record. */
function failedCall(meta: LogEntry['meta']): object {
  const { activityType: activity, attempt, error } = meta ?? {};
  if (typeof activity !== 'string') return {};
  const code = error instanceof ApplicationFailure ? error.type : undefined;
  return { activity, ...(typeof attempt === 'number' && { attempt }), ...(typeof code === 'string' && { code }) };
}
