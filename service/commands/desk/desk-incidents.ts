import { isSeverity } from '../../../core/alert/severity.ts';
import type { ConsoleQuestion, ListedIncident, ShownIncident } from '../../../core/console/console.schema.ts';
import { chainOf, incidentKeyOf } from '../../../core/console/incident-summary.ts';
import { questionPagePath } from '../../../core/console/routes.ts';
import { FirebreakError, undefinedIf } from '../../../core/errors.ts';
import { fullIncidentId, shortIncidentId, subjectOfIncident, subjectTitle } from '../../../core/incident/incident.ts';
import { traceOf } from '../../../core/incident/incident-trace.ts';
import { compareTexts } from '../../../core/text/plain-json.ts';
import type { IncidentRow, IncidentStand } from '../../incidents/rows.ts';
import { type PrintedIncident, printIncident, printRows, timeOf } from '../incidents/incident-text.ts';
import type { ListIncidentsOptions, ShowIncidentOptions } from '../incidents/local-incidents.ts';
import { meantText } from '../incidents/meant-incident.ts';
import { printUntilClosed } from '../incidents/watch-lines.ts';
import { printJson } from '../output.ts';
import { type DeskClient, openDesk } from './desk-client.ts';
import type { DeskPlace } from './desk-options.ts';

const mostOnPage = 200;
/** Maximum number of pages searched for a name: it can be part of many others. */
const mostPages = 10;
/** Maximum length of a search text. */
const longestSearch = 100;

/** `firebreak incidents list --desk`. */
export async function listAtDesk(at: DeskPlace, options: ListIncidentsOptions): Promise<void> {
  const desk = await openDesk(at);
  const { all, severity, namespace, limit } = options;
  const rows: ListedIncident[] = [];
  const { cluster } = await desk.ask('session');
  for (let cursor: string | undefined; rows.length < limit; ) {
    const { items, next } = await desk.ask('incidents', {
      query: {
        cluster,
        limit: Math.min(limit - rows.length, mostOnPage),
        ...(all ? {} : { state: 'open' as const }),
        ...(isSeverity(severity) && { severity }),
        ...(namespace !== undefined && { namespace }),
        ...(cursor !== undefined && { cursor }),
      },
    });
    rows.push(...items);
    if (next === null) break;
    cursor = next;
  }
  // Those who only look may not read questions.
  const questions = (await desk.ask('questions').catch(undefinedIf('FB_ERR_REFUSED')))?.items;
  const listed = rows.map((one): IncidentRow => {
    const { id, run, state, severity: worst, openedAt, rules } = one;
    return {
      ...{ incident: id, run, open: state === 'open', severity: worst, openedAt, rules, confirmed: true },
      stand: standOf(one, questions),
    };
  });
  printRows({ rows: listed, notes: [] }, options, { cluster, now: Date.now() });
}

/** People answer what a playbook asks before they decide on a containment's term. Absent: questions may not be read. */
function standOf(
  { key, contained, isProven, openQuestions }: ListedIncident,
  questions: readonly ConsoleQuestion[] | undefined,
): IncidentStand {
  const open = questions?.filter(({ incident, state }) => incident.key === key && state === 'open') ?? [];
  const ofPlaybooks = open.filter(({ kind }) => kind === 'question');
  const [first] = (ofPlaybooks.length > 0 ? ofPlaybooks : open)
    .map(({ level, deadline }) => ({ waitsFor: level.group, deadline: deadline ?? level.until }))
    .sort((a, b) => compareTexts(a.deadline, b.deadline));
  return {
    contained: contained === 0 ? 'no' : isProven ? 'yes' : 'not proven',
    ...(first ?? (openQuestions > 0 && { waitsFor: 'people' })),
  };
}

/** `firebreak incidents show --desk`. */
export async function showAtDesk(at: DeskPlace, written: string, options: ShowIncidentOptions): Promise<void> {
  const desk = await openDesk(at);
  const shown = await desk.ask('incident', { params: { key: await keyNamed(desk, written, options.run) } });
  const state = stateOf(shown);
  const { deadlines, questions, tickets, live, proof } = shown;
  if (options.json) {
    const { incident } = state;
    const asked = questions.map(questionOf);
    return printJson({ ...state, live, questions: asked, tickets, proof, deadlines, traceId: traceOf(incident).traceId });
  }
  printIncident(state, {
    names: { actor: (actor) => actor },
    records: `${proof.stored} in the audit store${proof.whole ? ', complete and signed' : ''}`,
    warnings: [
      ...(live ? [] : ['The incident does not answer now: this is what its records say.']),
      ...(proof.whole ? [] : ['Its records are not complete, or not signed:', ...proof.findings.map((one) => `  ${one}`)]),
    ],
    deadlines,
    asked: questions.filter(({ state: now }) => now === 'open').map((one) => linesOf(one, at)),
    questions: questions.filter(({ state: now }) => now !== 'open').map((one) => linesOf(one, at)),
    tickets: tickets.map(({ id, url }) => [id, url].filter((one) => one !== null).join('  ')),
  });
}

/** `firebreak incidents watch --desk`. */
export async function watchAtDesk(at: DeskPlace, written: string, options: ShowIncidentOptions): Promise<void> {
  const desk = await openDesk(at);
  const key = await keyNamed(desk, written, options.run);
  const look = async (): Promise<PrintedIncident> => stateOf(await desk.ask('incident', { params: { key } }));
  // The desk already returns people by name.
  const names = { actor: (actor: string): string => actor };
  await printUntilClosed(look, { ...options, names, passing: ['FB_ERR_UNAVAILABLE', 'FB_ERR_TOO_MANY'] });
}

/** Returns the key of the incident that was typed, in any of its forms. @throws FB_ERR_UNKNOWN_ID, which suggests the one that was probably meant */
async function keyNamed(desk: DeskClient, written: string, run: string | undefined): Promise<string> {
  const { cluster } = await desk.ask('session');
  const id = fullIncidentId(written, cluster);
  if (run !== undefined) return incidentKeyOf(chainOf({ id, run }));
  const subject = subjectOfIncident(id);
  const namespace = subject?.kind === 'workload' ? { namespace: subject.namespace } : {};
  const about = subject && { ...namespace, text: subjectTitle(subject).slice(0, longestSearch) };
  for (let cursor: string | undefined, page = 0; about && page < mostPages; page += 1) {
    const query = { ...about, limit: mostOnPage, ...(cursor !== undefined && { cursor }) };
    const { items, next } = await desk.ask('incidents', { query });
    // The newest run comes first.
    const found = items.find((one) => one.id === id);
    if (found) return found.key;
    if (next === null) break;
    cursor = next;
  }
  const { items } = await desk.ask('incidents', { query: { limit: mostOnPage } });
  const known = [...new Set(items.map((one) => shortIncidentId(one.id, cluster)))];
  throw new FirebreakError('FB_ERR_UNKNOWN_ID', `there is no incident ${id}, or you may not see it${meantText(written, known)}`);
}

/** The state as the incident itself would report it, as far as a desk returns it. People appear by name, not by id. */
function stateOf(shown: ShownIncident): PrintedIncident {
  const { incident, verdictWhy, timeline, steps, leases, alerts, evidence } = shown;
  const { id, run, title, severity, state, reached, verdict, openedAt } = incident;
  return {
    ...{ incident: { id, run }, title, severity, open: state === 'open', openedAt, reached, verdict },
    ...(verdictWhy !== null && { verdictWhy }),
    ...ranOf(shown),
    counts: alerts.map(({ pod, ...count }) => ({ ...count, ...(pod !== null && { pod }) })),
    total: incident.alerts,
    timeline: timeline.map(({ at, kind, text, actor }) => ({ at, kind, text, actor: actorText(actor) })),
    steps: steps.map(({ state: now, action, target, detail }) => ({ state: now, action, target, detail })),
    leases: leases.map(({ id: lease, state: now, until, action, target, refused }) => ({
      ...{ id: lease, state: now, action, target: { name: target }, until: until === null ? 0 : Date.parse(until) },
      ...(refused !== null && { refused: { nextAt: Date.parse(refused.nextAt) } }),
    })),
    evidence: evidence.map(({ manifest, target, artefacts }) => ({
      ...{ manifestSha256: manifest, target: { name: target } },
      artefacts: artefacts.map(({ partial, ...artefact }) => ({ ...artefact, ...(partial !== null && { partial }) })),
    })),
  };
}

/** The command line is that of the first of the worst alerts that are kept. */
function ranOf({ incident: { what, severity, rules }, samples }: ShownIncident): Pick<PrintedIncident, 'ran'> {
  if (what === null) return {};
  const worst = samples.find((one) => one.severity === severity);
  const commandLine = worst?.processes.at(-1)?.commandLine;
  return { ran: { sentence: what, rule: worst?.rule ?? rules.join(', '), ...(commandLine && { commandLine }) } };
}

function actorText({ kind, name }: ShownIncident['timeline'][number]['actor']): string {
  if (kind === 'engine') return 'engine';
  return kind === 'playbook' || kind === 'sensor' ? `${kind}/${name}` : name;
}

function questionOf({ id, text, digest, state, choices, votes, level, onSilence }: ConsoleQuestion) {
  return {
    question: { id, text, onSilence, choices: choices.map((one) => ({ id: one.id, label: one.label, quorum: one.quorum })) },
    digest,
    status: { state },
    votes: votes.map((vote) => ({ vote })),
    levelUntil: level.until,
  };
}

function linesOf(
  { id, text, state, level, choices, votes, mine, onSilence }: ConsoleQuestion,
  { url }: DeskPlace,
): readonly string[] {
  const people = level.people === null ? [] : [`  may answer: ${level.people.join(', ') || 'nobody now'}`];
  return [
    text,
    `  ${state}`,
    `  asked: ${level.group}, until ${timeOf(level.until)}`,
    ...people,
    ...choices.map(({ label, quorum, blastRadius }) => {
      const touches = blastRadius.length === 0 ? 'changes nothing' : blastRadius.join(', ');
      return `  ${label} (${quorum === 1 ? '1 person' : `${quorum} people`}; ${touches})`;
    }),
    ...votes.map(({ person, choice, at }) => `  ${person} said ${choice} at ${timeOf(at)}`),
    `  if nobody answers: ${onSilence}`,
    `  ${mine.may ? `You may answer: ${url}${questionPagePath}${id}` : `Not yours to answer: ${mine.why ?? 'others are asked'}`}`,
  ];
}
