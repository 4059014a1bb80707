import { FirebreakError } from '../../core/errors.ts';
import { incidentNames } from '../../core/incident/incident.ts';
import type { IncidentState } from '../../core/incident/incident-state.ts';
import type { Session } from './session.ts';

export interface IncidentRow {
  readonly incident: string;
  readonly run: string;
  readonly open: boolean;
  readonly severity: string;
  readonly openedAt: string;
  readonly rules: readonly string[];
}

/** The incidents of this cluster, newest first. @throws FB_ERR_UNAVAILABLE. */
export async function rowsOf(session: Session, options: ListedIncidents): Promise<IncidentRow[]> {
  const rows: IncidentRow[] = [];
  const executions = session.client.workflow.list({ query: queryOf(session, options), pageSize: Math.min(options.limit, 200) });
  try {
    for await (const execution of executions) {
      const { FirebreakSeverity: severity, FirebreakRule: rules } = execution.searchAttributes;
      rows.push({
        incident: execution.workflowId,
        run: execution.runId,
        open: execution.status.name === 'RUNNING',
        severity: String(severity?.[0] ?? 'unknown'),
        openedAt: execution.startTime.toISOString(),
        rules: (rules ?? []).map(String),
      });
      if (rows.length >= options.limit) break;
    }
  } catch (error) {
    throw new FirebreakError('FB_ERR_UNAVAILABLE', 'Temporal did not list the incidents', { cause: error });
  }
  return rows;
}

/** Entries of `now` that `before` did not have. The timeline is bounded, so its length says nothing. */
export function newEntries(
  before: Pick<IncidentState, 'timeline'> | undefined,
  now: Pick<IncidentState, 'timeline'>,
): IncidentState['timeline'] {
  const last = before?.timeline.at(-1);
  if (!last) return now.timeline;
  const same = JSON.stringify(last);
  const seen = now.timeline.findLastIndex((entry) => JSON.stringify(entry) === same);
  return seen === -1 ? now.timeline.filter((entry) => entry.at > last.at) : now.timeline.slice(seen + 1);
}

function queryOf(session: Session, options: ListedIncidents): string {
  return [
    `WorkflowType = '${incidentNames.workflow}'`,
    `FirebreakCluster = '${session.config.cluster}'`,
    ...(options.all ? [] : [`ExecutionStatus = 'Running'`]),
    ...(options.severity === undefined ? [] : [`FirebreakSeverity = '${options.severity}'`]),
    ...(options.namespace === undefined ? [] : [`FirebreakNamespace = '${options.namespace}'`]),
  ].join(' AND ');
}

/** Which incidents are listed. */
export interface ListedIncidents {
  readonly all?: true;
  readonly severity?: string;
  readonly namespace?: string;
  readonly limit: number;
}
