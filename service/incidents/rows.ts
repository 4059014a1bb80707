import { setTimeout as sleep } from 'node:timers/promises';
import { awayAfterMs, type OpenReport } from '../../core/alert/intake-report.ts';
import { isSeverity, type Severity } from '../../core/alert/severity.ts';
import { FirebreakError } from '../../core/errors.ts';
import { incidentNames, subjectOfIncident } from '../../core/incident/incident.ts';
import type { IncidentState } from '../../core/incident/incident-state.ts';
import { controlState, incidentState, type Session, sessionOver } from './session.ts';

/** How long one incident, and the list of what is open, is waited for. */
const answerMs = 3_000;
const atOnce = 16;
/** So many of Temporal's list are asked where not each of them is shown. */
const mostAsked = 200;
/** A cell says what is open every five minutes at least. */
const lateAfterMs = 7 * 60_000;

export interface IncidentRow {
  readonly incident: string;
  readonly run: string;
  readonly open: boolean;
  readonly severity: string;
  readonly openedAt: string;
  readonly rules: readonly string[];
  /** A cell has said all of this. Otherwise only Temporal has, where anybody who reaches it can write. */
  readonly confirmed: boolean;
}

export interface IncidentRows {
  /** Those that no cell has confirmed come last. */
  readonly rows: readonly IncidentRow[];
  /** What whoever reads them has to know of the list itself, a sentence each. */
  readonly notes: readonly string[];
}

/** Which incidents are listed. */
export interface ListedIncidents {
  readonly all?: true;
  readonly severity?: string;
  readonly namespace?: string;
  readonly limit: number;
}

interface Candidate {
  readonly incident: string;
  /** Absent: Temporal does not list it. */
  readonly listed?: Omit<IncidentRow, 'confirmed'>;
  /** How bad it is, in the words of a cell that knows it to be open. */
  readonly told?: Severity;
}

/**
 * The incidents of this cluster, newest first. Temporal only says whom to ask: each is asked for its state, which a cell signs, and so are those that a
 * cell knows to be open and Temporal does not list.
 * @throws FB_ERR_UNAVAILABLE.
 */
export async function rowsOf(session: Session, options: ListedIncidents): Promise<IncidentRows> {
  const { limit, severity } = options;
  const { candidates, notes } = await candidatesOf(session, options, severity === undefined ? limit : Math.max(limit, mostAsked));
  const asked = await confirmedRows(session, candidates);
  const wanted = asked.filter((row) => (options.all || row.open) && (severity === undefined || row.severity === severity));
  const rows = wanted.sort(confirmedFirst).slice(0, limit);
  const unconfirmed = rows.filter(({ confirmed }) => !confirmed).length;
  return {
    rows,
    notes:
      unconfirmed === 0
        ? notes
        : [...notes, `No cell has answered for ${unconfirmed} of them: what is said of these is not signed, and may be false.`],
  };
}

/** Ids of incidents that may be open, those first that a cell knows to be. @throws FB_ERR_UNAVAILABLE. */
export async function openIncidentIds(session: Session, limit: number): Promise<readonly string[]> {
  const { candidates } = await candidatesOf(session, { limit }, limit);
  return candidates.map(({ incident }) => incident);
}

/** Ids that Temporal lists, for a name that somebody has misspelled. @throws FB_ERR_UNAVAILABLE. */
export async function listedIds(session: Session, options: ListedIncidents): Promise<readonly string[]> {
  return (await listedBy(session, options, options.limit)).map(({ incident }) => incident);
}

/** Runs that Temporal lists, closed ones too, the newest first. @throws FB_ERR_UNAVAILABLE. */
export function listedRuns(session: Session, limit: number): Promise<readonly Pick<IncidentRow, 'incident' | 'run'>[]> {
  return listedBy(session, { all: true, limit }, limit);
}

/** What a cell knows to be open comes first: of what only Temporal lists there can be any number. */
async function candidatesOf(
  session: Session,
  options: ListedIncidents,
  most: number,
): Promise<{ readonly candidates: readonly Candidate[]; readonly notes: readonly string[] }> {
  const [listed, { open, notes }] = await Promise.all([listedBy(session, options, most), toldOpen(session)]);
  const newest = new Map(listed.toReversed().map((row) => [row.incident, row]));
  const told = new Map(open.filter(({ incident }) => isWanted(incident, options)).map((one) => [one.incident, one.severity]));
  return {
    candidates: [
      ...[...told].map(([incident, severity]) => {
        const row = newest.get(incident);
        return { incident, told: severity, ...(row && { listed: row }) };
      }),
      ...listed.flatMap((row) =>
        told.has(row.incident) && newest.get(row.incident) === row ? [] : { incident: row.incident, listed: row },
      ),
    ],
    notes,
  };
}

/** Neither a search attribute nor a status is gone by: both can be written by whoever reaches Temporal, and an id cannot. */
async function listedBy(session: Session, options: ListedIncidents, most: number): Promise<Omit<IncidentRow, 'confirmed'>[]> {
  const query = [
    `WorkflowType = '${incidentNames.workflow}'`,
    `WorkflowId STARTS_WITH 'incident/${session.config.cluster}/'`,
    ...(options.all ? [] : [`ExecutionStatus = 'Running'`]),
  ].join(' AND ');
  const rows: Omit<IncidentRow, 'confirmed'>[] = [];
  try {
    for await (const execution of session.client.workflow.list({ query, pageSize: Math.min(most, 200) })) {
      if (!isWanted(execution.workflowId, options)) continue;
      const { FirebreakSeverity: severity, FirebreakRule: rules } = execution.searchAttributes;
      rows.push({
        incident: execution.workflowId,
        run: execution.runId,
        open: execution.status.name === 'RUNNING',
        severity: String(severity?.[0] ?? 'unknown'),
        openedAt: execution.startTime.toISOString(),
        rules: (rules ?? []).map(String),
      });
      if (rows.length >= most) break;
    }
  } catch (error) {
    throw new FirebreakError('FB_ERR_UNAVAILABLE', 'Temporal did not list the incidents', { cause: error });
  }
  return rows;
}

function isWanted(incident: string, { namespace }: ListedIncidents): boolean {
  const subject = subjectOfIncident(incident);
  return namespace === undefined || (subject?.kind === 'workload' && subject.namespace === namespace);
}

/** What the cells have said last that is open. */
async function toldOpen(session: Session): Promise<{ readonly open: OpenReport['worst']; readonly notes: readonly string[] }> {
  const state = await inTime(controlState(sessionOver(session.config, session.client, answerMs)));
  const said = state?.intakes ?? [];
  const lastAt = said.reduce((last, { at }) => Math.max(last, Date.parse(at)), 0);
  // What a replica knew that is gone another one has taken over.
  const reports = said.filter(({ at }) => lastAt - Date.parse(at) < awayAfterMs);
  const unnamed = reports.reduce((sum, { open }) => sum + open.count - open.worst.length, 0);
  const notes = [
    ...(lastAt === 0 ? ['No cell has said what is open: what Temporal leaves out is missing here.'] : []),
    ...(lastAt > 0 && Date.now() - lastAt > lateAfterMs
      ? [
          `A cell has said last at ${new Date(lastAt).toISOString()} what is open: what Temporal has left out since is missing here.`,
        ]
      : []),
    ...(unnamed > 0 ? [`The cells know ${unnamed} more to be open than they have named: the console lists all.`] : []),
  ];
  return { open: reports.flatMap(({ open }) => open.worst), notes };
}

/** No answer to so many in a row: no cell is there, and the others are not waited for. */
async function confirmedRows(session: Session, candidates: readonly Candidate[]): Promise<IncidentRow[]> {
  const rows: IncidentRow[] = [];
  let isSilent = false;
  for (let start = 0; start < candidates.length; start += atOnce) {
    const some = candidates.slice(start, start + atOnce);
    const states: readonly (IncidentState | undefined)[] = isSilent
      ? []
      : await Promise.all(some.map((one) => stateOf(session, one)));
    isSilent ||= some.length === atOnce && states.every((state) => state === undefined);
    rows.push(...some.flatMap((one, index) => rowOf(one, states[index]) ?? []));
  }
  return rows;
}

function stateOf({ config, client }: Session, { incident, listed }: Candidate): Promise<IncidentState | undefined> {
  const name = { id: incident, ...(listed && { run: listed.run, isRunning: listed.open }) };
  return inTime(incidentState(sessionOver(config, client, answerMs), name));
}

/** Where nobody answers, the connection goes on trying for several times its deadline. */
async function inTime<T>(answer: Promise<T>): Promise<T | undefined> {
  const patience = new AbortController();
  const late = sleep(answerMs, undefined, { signal: patience.signal, ref: false }).catch(() => undefined);
  try {
    return await Promise.race([answer.catch(() => undefined), late]);
  } finally {
    patience.abort();
  }
}

/** A run that was ended from outside has said of itself to the last that it is open: it is while it runs, or a cell knows it to be. */
function rowOf({ incident, listed, told }: Candidate, state: IncidentState | undefined): IncidentRow | undefined {
  if (state) {
    const { severity, openedAt, counts } = state;
    return {
      incident,
      run: state.incident.run,
      open: state.open && (listed?.open === true || told !== undefined),
      ...{ severity, openedAt, rules: [...new Set(counts.map(({ rule }) => rule))], confirmed: true },
    };
  }
  const open = told !== undefined || listed?.open === true;
  const severity = told ?? (isSeverity(listed?.severity) ? listed.severity : 'unknown');
  return {
    incident,
    run: listed?.run ?? '',
    openedAt: listed?.openedAt ?? '',
    rules: listed?.rules ?? [],
    open,
    severity,
    confirmed: false,
  };
}

function confirmedFirst(a: IncidentRow, b: IncidentRow): number {
  if (a.confirmed !== b.confirmed) return a.confirmed ? -1 : 1;
  return a.openedAt === b.openedAt ? 0 : a.openedAt > b.openedAt ? -1 : 1;
}
