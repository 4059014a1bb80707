import { setTimeout as sleep } from 'node:timers/promises';
import { awayAfterMs, type NamedIncident, namedIn, worstUnnamed } from '../../core/alert/intake-report.ts';
import { atLeast, isSeverity, type Severity, worse } from '../../core/alert/severity.ts';
import { heldEffects } from '../../core/cards/card.ts';
import { silenceAt } from '../../core/decide/question.ts';
import { standingIdOf } from '../../core/decide/standing-question.ts';
import { FirebreakError } from '../../core/errors.ts';
import { incidentNames, subjectOfIncident } from '../../core/incident/incident.ts';
import type { IncidentState } from '../../core/incident/incident-state.ts';
import { compareTexts } from '../../core/text/plain-json.ts';
import { isOpenRun } from '../temporal/held-up-runs.ts';
import { controlState, type IncidentName, incidentState, type Session, sessionOver } from './session.ts';

/** Timeout for the answer of one incident, and for the list of what is open. */
const answerMs = 3_000;
const atOnce = 16;
/** Maximum number of listed incidents that are asked if not all of them are shown. */
const mostAsked = 200;
/** Maximum clock difference between a cell and Temporal. */
const clocksApartMs = 60_000;
/** Maximum number of running incidents among which those named by the cells are looked up in Temporal. */
const mostListed = 2_000;
/** A cell reports what is open at least every five minutes. */
const lateAfterMs = 7 * 60_000;

/** How an incident stands, which changes too fast for a report. Times are ISO 8601. */
export interface IncidentStand {
  readonly contained: 'yes' | 'not proven' | 'no';
  /** The group that is asked. Absent: nobody is. */
  readonly waitsFor?: string;
  /** When silence counts or, if it never does, when the next people are asked or the containment's term ends. */
  readonly deadline?: string;
}

export interface IncidentRow {
  readonly incident: string;
  readonly run: string;
  readonly open: boolean;
  readonly severity: string;
  readonly openedAt: string;
  readonly rules: readonly string[];
  /** A cell has confirmed all of this, now or within the last minutes. Otherwise only Temporal says so, and anyone who can reach Temporal can write there. */
  readonly confirmed: boolean;
  /** Absent: not asked, or it has not answered. */
  readonly stand?: IncidentStand;
}

export interface IncidentRows {
  /** Rows that no cell has confirmed come last. */
  readonly rows: readonly IncidentRow[];
  /** What readers need to know about the list itself, one sentence each. */
  readonly notes: readonly string[];
}

/** Selects the incidents to list. */
export interface ListedIncidents {
  readonly all?: true;
  readonly severity?: string;
  readonly namespace?: string;
  readonly limit: number;
}

/** A row as Temporal lists it. */
interface ListedRow extends Omit<IncidentRow, 'confirmed' | 'severity'> {
  /** Absent: it is listed without one. */
  readonly severity?: string;
}

/** An incident that cells know to be open. */
interface KnownOpen extends NamedIncident {
  /** The report of at least one cell is too old to show the incident without asking it. */
  readonly isLate: boolean;
}

interface Candidate {
  readonly incident: string;
  /** Absent: Temporal does not list it. */
  readonly listed?: ListedRow;
  readonly told?: KnownOpen;
}

/** The cells' latest reports about what is open. */
interface ToldOpen {
  readonly open: ReadonlyMap<string, KnownOpen>;
  /** The reports include everything that started before this time, ISO 8601. Absent: no cell has reported. */
  readonly since?: string;
  /** Upper bound for the severity of incidents that were open by then but are not named. Absent: there are none. */
  readonly unnamed?: Severity;
  readonly notes: readonly string[];
}

/**
 * The incidents of this cluster, newest first. Incidents that the cells reported as open within the last minutes are shown if Temporal lists them as open with
 * the same severity. For all others, Temporal only tells which to ask: each is asked for its state, which a cell signs.
 * @throws FB_ERR_UNAVAILABLE.
 */
export async function rowsOf(session: Session, options: ListedIncidents): Promise<IncidentRows> {
  const { all, limit, severity } = options;
  const mostOthers = severity === undefined ? limit : Math.max(limit, mostAsked);
  const [running, closed, told] = await Promise.all([
    listedBy(session, { ...options, status: 'running', most: Math.max(limit, mostListed) }),
    all ? listedBy(session, { ...options, status: 'closed', most: mostOthers }) : [],
    toldOpen(session),
  ]);
  const isShown = (row: IncidentRow): boolean => (all || row.open) && (severity === undefined || row.severity === severity);
  const vouched: IncidentRow[] = [];
  const others: Candidate[] = [];
  for (const candidate of candidatesOf([...running, ...closed], told, options)) {
    const row = vouchedRow(candidate);
    if (!row) others.push(candidate);
    else if (isShown(row)) vouched.push(row);
  }
  vouched.sort(confirmedFirst);
  const oldestShown = vouched[limit - 1]?.openedAt ?? '';
  const known = others.filter(({ told: by }) => by && (by.started?.at ?? '~') >= oldestShown);
  const strange = others.filter(
    (one) => !one.told && one.listed && one.listed.openedAt > oldestShown && !isLesser(one.listed, told, severity),
  );
  const asked = await confirmedRows(session, [...known, ...strange.slice(0, mostOthers)]);
  const rows = [...vouched, ...asked.filter(isShown)].sort(confirmedFirst).slice(0, limit);
  const unconfirmed = rows.filter(({ confirmed }) => !confirmed).length;
  return {
    rows,
    notes:
      unconfirmed === 0
        ? told.notes
        : [
            ...told.notes,
            `No cell has answered for ${unconfirmed} of them: what is shown for these is not signed and may be false.`,
          ],
  };
}

/** The same rows with how each of them stands now: those not asked yet are asked. */
export async function withStands(session: Session, listed: IncidentRows): Promise<IncidentRows> {
  const unasked = listed.rows.filter(({ stand, confirmed }) => confirmed && !stand);
  const states = await statesOf(
    session,
    unasked.map(({ incident, run, open }) => ({ id: incident, run, isRunning: open })),
  );
  const standOf = new Map(unasked.map((row, index) => [row, states[index]]));
  return {
    ...listed,
    rows: listed.rows.map((row) => {
      const state = standOf.get(row);
      return state ? { ...row, stand: standIn(state) } : row;
    }),
  };
}

/** Who is asked first: people answer what a playbook asks before they decide on a containment's term. */
function standIn({ questions, leases, steps }: Pick<IncidentState, 'questions' | 'leases' | 'steps'>): IncidentStand {
  const stepOf = new Map(steps.map((step) => [step.key, step]));
  const held = leases.flatMap((lease) => heldEffects(lease, stepOf.get(lease.stepKey)));
  const waiting = questions
    .filter(({ status }) => status.state === 'open')
    .map((one) => {
      const lease = leases.find(({ id }) => standingIdOf(id) === one.question.id);
      const deadline = lease ? new Date(lease.until).toISOString() : (silenceAt(one) ?? one.levelUntil);
      return { isOfLease: lease !== undefined, waitsFor: one.question.levels[one.level]?.group, deadline };
    })
    .sort((a, b) => Number(a.isOfLease) - Number(b.isOfLease) || compareTexts(a.deadline, b.deadline));
  const { waitsFor, deadline } = waiting[0] ?? {};
  return {
    contained: held.length === 0 ? 'no' : held.every(({ state }) => state === 'verified') ? 'yes' : 'not proven',
    ...(waitsFor !== undefined && { waitsFor }),
    ...(deadline !== undefined && { deadline }),
  };
}

/** Returns whether it was open at the time of the cells' reports and is not one of the unnamed that can be that severe. */
function isLesser({ open, openedAt }: ListedRow, { since = '', unnamed }: ToldOpen, severity: string | undefined): boolean {
  if (!open || openedAt >= since || !isSeverity(severity)) return false;
  return unnamed === undefined || !atLeast(unnamed, severity);
}

/** A row that needs no question to the incident: cells recently reported all of it, and Temporal agrees. */
function vouchedRow({ incident, listed, told }: Candidate): IncidentRow | undefined {
  if (!told?.rules || !told.started || told.isLate || !listed?.open) return undefined;
  const { severity, rules, started } = told;
  if (listed.severity !== undefined && listed.severity !== severity) return undefined;
  return { incident, run: started.run, open: true, severity, openedAt: started.at, rules, confirmed: true };
}

/** Ids of incidents that may be open; those that a cell knows to be open come first. @throws FB_ERR_UNAVAILABLE. */
export async function openIncidentIds(session: Session, limit: number): Promise<readonly string[]> {
  const [listed, told] = await Promise.all([listedBy(session, { status: 'running', most: limit }), toldOpen(session)]);
  return candidatesOf(listed, told, {}).map(({ incident }) => incident);
}

/** Ids that Temporal lists, to suggest one for a misspelled name. @throws FB_ERR_UNAVAILABLE. */
export async function listedIds(session: Session, { all, limit }: ListedIncidents): Promise<readonly string[]> {
  const listed = await listedBy(session, { status: all ? 'any' : 'running', most: limit });
  return listed.map(({ incident }) => incident);
}

/** Runs that Temporal lists, including closed ones, newest first. @throws FB_ERR_UNAVAILABLE. */
export function listedRuns(
  session: Session,
  limit: number,
  status: 'any' | 'running' = 'any',
): Promise<readonly Pick<IncidentRow, 'incident' | 'run'>[]> {
  return listedBy(session, { status, most: limit });
}

/** Incidents that a cell knows to be open come first: there can be any number that only Temporal lists. */
function candidatesOf(
  listed: readonly ListedRow[],
  { open }: ToldOpen,
  options: Pick<ListedIncidents, 'namespace'>,
): readonly Candidate[] {
  const newest = new Map(listed.toReversed().map((row) => [row.incident, row]));
  const told = [...open.values()].filter(({ incident }) => isWanted(incident, options));
  return [
    ...told.map((known) => {
      const row = newest.get(known.incident);
      return { incident: known.incident, told: known, ...(row && { listed: row }) };
    }),
    ...listed.flatMap((row) =>
      open.has(row.incident) && newest.get(row.incident) === row ? [] : { incident: row.incident, listed: row },
    ),
  ];
}

const ofStatus = {
  running: [`ExecutionStatus = 'Running'`],
  closed: [`ExecutionStatus != 'Running'`],
  any: [],
} as const;

/** Newest first. Uses neither search attributes nor status: anyone who can reach Temporal can write both, but not an id. */
async function listedBy(
  session: Session,
  {
    status,
    most,
    ...options
  }: Pick<ListedIncidents, 'namespace'> & { readonly status: keyof typeof ofStatus; readonly most: number },
): Promise<readonly ListedRow[]> {
  const query = [
    `WorkflowType = '${incidentNames.workflow}'`,
    `WorkflowId STARTS_WITH 'incident/${session.config.cluster}/'`,
    ...ofStatus[status],
  ].join(' AND ');
  const rows: ListedRow[] = [];
  try {
    for await (const execution of session.client.workflow.list({ query, pageSize: Math.min(most, 1_000) })) {
      if (!isWanted(execution.workflowId, options)) continue;
      const { FirebreakSeverity: severity, FirebreakRule: rules } = execution.searchAttributes;
      rows.push({
        incident: execution.workflowId,
        run: execution.runId,
        open: isOpenRun(execution),
        ...(severity?.[0] !== undefined && { severity: String(severity[0]) }),
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

function isWanted(incident: string, { namespace }: Pick<ListedIncidents, 'namespace'>): boolean {
  const subject = subjectOfIncident(incident);
  return namespace === undefined || (subject?.kind === 'workload' && subject.namespace === namespace);
}

async function toldOpen(session: Session): Promise<ToldOpen> {
  const state = await inTime(controlState(sessionOver(session.config, session.client, answerMs)));
  const said = state?.intakes ?? [];
  const lastAt = said.reduce((last, { at }) => Math.max(last, Date.parse(at)), 0);
  // What a replica that is gone knew has been taken over by another.
  const reports = said.filter(({ at }) => lastAt - Date.parse(at) < awayAfterMs);
  const isLate = (at: number): boolean => Date.now() - at > lateAfterMs;
  const open = new Map<string, KnownOpen>();
  for (const { at, open: told } of reports)
    for (const one of namedIn(told)) {
      const before = open.get(one.incident);
      const known = { ...one, isLate: isLate(Date.parse(at)) };
      open.set(one.incident, before ? knownTogether(before, known) : known);
    }
  const unnamed = reports.reduce((sum, { open: told }) => sum + told.count - namedIn(told).length, 0);
  const unnamedAre = reports.flatMap(({ open: told }) => worstUnnamed(told) ?? []);
  const notes = [
    ...(lastAt === 0 ? ['No cell has reported what is open: incidents that Temporal leaves out are missing here.'] : []),
    ...(lastAt > 0 && isLate(lastAt)
      ? [
          `The last report of a cell about what is open is from ${new Date(lastAt).toISOString()}: incidents that Temporal has left out since are missing here.`,
        ]
      : []),
    ...(unnamed > 0 ? [`${unnamed} more incidents are open than the cells have named: the console lists all.`] : []),
  ];
  const firstAt = Math.min(...reports.map(({ at }) => Date.parse(at)));
  return {
    open,
    ...(reports.length > 0 && { since: new Date(firstAt - clocksApartMs).toISOString() }),
    ...(unnamedAre.length > 0 && { unnamed: unnamedAre.reduce(worse) }),
    notes,
  };
}

/** Several cells of a cluster may have sent alerts to the same incident: this combines their reports. */
function knownTogether(a: KnownOpen, b: KnownOpen): KnownOpen {
  const rules = a.rules && b.rules && [...new Set([...a.rules, ...b.rules])];
  const started = a.started && b.started && a.started.run !== b.started.run ? undefined : (a.started ?? b.started);
  return {
    incident: a.incident,
    severity: worse(a.severity, b.severity),
    ...(rules && { rules }),
    ...(started && { started }),
    isLate: a.isLate || b.isLate,
  };
}

async function confirmedRows(session: Session, candidates: readonly Candidate[]): Promise<IncidentRow[]> {
  const states = await statesOf(
    session,
    candidates.map(({ incident, listed }) => ({
      id: incident,
      ...(listed && { run: listed.run, isRunning: listed.open }),
    })),
  );
  return candidates.map((one, index) => rowOf(one, states[index]));
}

/** If a whole batch gets no answer, no cell is running, and the remaining ones are not waited for. */
async function statesOf({ config, client }: Session, names: readonly IncidentName[]): Promise<(IncidentState | undefined)[]> {
  const states: (IncidentState | undefined)[] = [];
  const session = sessionOver(config, client, answerMs);
  for (let start = 0; start < names.length; start += atOnce) {
    const some = names.slice(start, start + atOnce);
    const answers = await Promise.all(some.map((name) => inTime(incidentState(session, name))));
    states.push(...answers);
    if (some.length === atOnce && answers.every((state) => state === undefined)) break;
  }
  return states;
}

/** If nobody answers, the connection keeps trying for several times its deadline. */
async function inTime<T>(answer: Promise<T>): Promise<T | undefined> {
  const patience = new AbortController();
  const late = sleep(answerMs, undefined, { signal: patience.signal, ref: false }).catch(() => undefined);
  try {
    return await Promise.race([answer.catch(() => undefined), late]);
  } finally {
    patience.abort();
  }
}

/** A run that was terminated from outside still reports itself as open: it only counts as open while it runs, or if a cell knows it to be open. */
function rowOf({ incident, listed, told }: Candidate, state: IncidentState | undefined): IncidentRow {
  if (state) {
    const { severity, openedAt, counts } = state;
    return {
      incident,
      run: state.incident.run,
      open: state.open && (listed?.open === true || told !== undefined),
      ...{ severity, openedAt, rules: [...new Set(counts.map(({ rule }) => rule))], confirmed: true },
      stand: standIn(state),
    };
  }
  const open = told !== undefined || listed?.open === true;
  const severity = told?.severity ?? (isSeverity(listed?.severity) ? listed.severity : 'unknown');
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
