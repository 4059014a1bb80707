import { signatureText } from '../../../core/action/image-signature.ts';
import { labelOf } from '../../../core/cards/choice-label.ts';
import { type Choice, needsReason, type Question } from '../../../core/decide/approval.ts';
import { askedFor } from '../../../core/decide/form.ts';
import { isOfLease, leaseOfStanding } from '../../../core/decide/standing-question.ts';
import type { EvidenceRef } from '../../../core/evidence/evidence.ts';
import { shortIncidentId, subjectOfIncident } from '../../../core/incident/incident.ts';
import type { IncidentState, QuestionState, StepState, TimelineEntry } from '../../../core/incident/incident-state.ts';
import type { Lease, RefusedRelease } from '../../../core/incident/lease.ts';
import { type RestraintTerms, restraintTitle } from '../../../core/orders/restraint.ts';
import { type Names, statusText } from '../../incidents/names.ts';
import type { IncidentRow, IncidentRows, IncidentStand } from '../../incidents/rows.ts';
import type { CommonOptions, OutputOptions } from '../options.ts';
import { type Column, print, printable, printFacts, printJson, printTable, severityText, styled } from '../output.ts';

/** `2026-11-24T23:29:39.123Z` as `23:29:39.123`, with the date if the day differs from `day`. */
export function timeOf(iso: string): string {
  return printable(iso).replace('T', ' ').replace(/Z$/, '');
}

function heading(text: string): void {
  print(`\n${styled('bold', printable(text))}`);
}

function timelineLine(entry: TimelineEntry, { actor }: Pick<Names, 'actor'>): string {
  const kind = entry.kind.padEnd(20);
  return `${styled('dim', timeOf(entry.at))}  ${printable(kind)}  ${printable(entry.text)}  ${styled('dim', printable(actor(entry.actor)))}`;
}

/** Prints one entry while the timeline grows. */
export function printEntry(entry: TimelineEntry, names: Pick<Names, 'actor'>, { json }: CommonOptions): void {
  if (json) printJson(entry);
  else print(timelineLine(entry, names));
}

interface ListedOptions extends OutputOptions {
  readonly all?: true;
}

interface ListPlace {
  /** Incidents of this cluster are listed by their short names. */
  readonly cluster: string;
  readonly now: number;
}

/** `firebreak incidents list`. */
export function printRows({ rows, notes }: IncidentRows, options: ListedOptions, place: ListPlace): void {
  if (options.json) printJson(rows);
  else if (rows.length === 0) print(options.all ? 'No incidents.' : 'No open incidents.');
  else printRowTable(rows, options, place);
  for (const note of notes) process.stderr.write(`${printable(note)}\n`);
}

function printRowTable(rows: readonly IncidentRow[], { all, output }: ListedOptions, { cluster, now }: ListPlace): void {
  const hasStates = all || rows.some(({ confirmed }) => !confirmed);
  const stateOf = ({ open, confirmed }: IncidentRow): string =>
    `${open ? 'open' : 'closed'}${confirmed ? '' : ', not confirmed'}`;
  const state: Column<IncidentRow> = { title: 'STATE', text: stateOf, ...(!hasStates && { isWide: true }) };
  const ifKnown = (text: (stand: IncidentStand) => string | undefined) => (row: IncidentRow) =>
    row.stand ? (text(row.stand) ?? '-') : '?';
  printTable<IncidentRow>(
    rows,
    [
      { title: 'SEVERITY', text: (row) => row.severity, style: (row, text) => severityText(row.severity, text.length) },
      { title: 'INCIDENT', text: (row) => shortIncidentId(row.incident, cluster) },
      state,
      { title: 'CONTAINED', text: ifKnown(({ contained }) => contained) },
      { title: 'WAITS FOR', text: ifKnown(({ waitsFor }) => waitsFor) },
      { title: 'DEADLINE', text: ifKnown(({ deadline }) => deadline && untilText(deadline, now)) },
      { title: 'AGE', text: (row) => (row.openedAt === '' ? '?' : spanText(now - Date.parse(row.openedAt))) },
      { title: 'OPENED', text: (row) => timeOf(row.openedAt).slice(0, 19), isWide: true },
      { title: 'RUN', text: (row) => row.run, isWide: true },
      { title: 'RULES', text: (row) => row.rules.join(', '), isWide: true },
    ],
    output && { output },
  );
}

/** `45s`, `12m`, `3h`, `2d`: the largest unit that fits. */
function spanText(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1_000));
  const [, size, unit] = spans.find(([from]) => seconds >= from) ?? [0, 1, 's'];
  return `${Math.floor(seconds / size)}${unit}`;
}

const spans = [
  [2 * 86_400, 86_400, 'd'],
  [2 * 3_600, 3_600, 'h'],
  [120, 60, 'm'],
] as const;

function untilText(iso: string, now: number): string {
  const left = Date.parse(iso) - now;
  return left < 0 ? `${spanText(-left)} ago` : `in ${spanText(left)}`;
}

function leaseEnd({ refused, ...lease }: PrintedIncident['leases'][number]): string {
  if (refused) return `release refused, tried again ${timeOf(new Date(refused.nextAt).toISOString())}`;
  return lease.state === 'active' ? timeOf(new Date(lease.until).toISOString()) : '-';
}

/** Who may answer, as far as the cell has reported it. */
function whoLines({ answerers, level }: QuestionState): readonly string[] {
  if (!answerers) return [];
  const people = [...new Set(answerers.levels.slice(0, level + 1).flat())];
  return [
    `may answer: ${people.length === 0 ? 'nobody now' : people.join(', ')}`,
    ...answerers.requesters.map(({ name, alone }) =>
      alone ? `${name} has ordered it, and may answer: nobody else can be asked` : `${name} has ordered it: the others answer`,
    ),
  ];
}

function choiceLine(choice: Choice): string {
  const { quorum, plans } = choice;
  const touches = [...new Set(plans.flatMap((plan) => plan.blastRadius))];
  const facts = [
    quorum === 1 ? '1 person' : `${quorum} people`,
    touches.length === 0 ? 'changes nothing' : touches.join(', '),
    ...Object.values(choice.form ?? {}).map((of) => `${of.label} (${askedFor(of)})`),
  ];
  return `${labelOf(choice)} (${facts.join('; ')})`;
}

/** A word of a command, safe to paste into a shell: ids come from playbooks. */
function shellWord(text: string): string {
  return /^[\w./:@-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

/** The command that gives this answer. Capitals stand for what the person fills in. */
function answerCommand(
  { incident, questions }: Pick<IncidentState, 'incident' | 'questions'>,
  question: Question,
  choice: Choice,
  config: string,
): string {
  const { FIREBREAK_AS, FIREBREAK_KEY, FIREBREAK_CONFIG = 'firebreak.yaml' } = process.env;
  const short = shortIncidentId(incident.id, subjectOfIncident(incident.id)?.cluster ?? '');
  const isAlone = questions.filter(({ question: { id }, status }) => status.state === 'open' && !isOfLease(id)).length === 1;
  const what = isOfLease(question.id)
    ? ['containment', choice.id, short, leaseOfStanding(question.id)]
    : ['answer', short, ...(isAlone ? [] : ['--question', question.id]), '--choice', choice.id];
  const placeholders = [
    ...(needsReason(choice) ? ['--reason "WHY"'] : []),
    ...Object.keys(choice.form ?? {}).map((name) => `--set ${shellWord(name)}=VALUE`),
    ...(FIREBREAK_AS === undefined ? ['--as YOU'] : []),
    ...(FIREBREAK_KEY === undefined ? ['--key FILE'] : []),
    ...(config === FIREBREAK_CONFIG ? [] : [`--config ${shellWord(config)}`]),
  ];
  return ['firebreak', ...what.map(shellWord), ...placeholders].join(' ');
}

/** An open question with a command for each answer, or the outcome of one that is over. */
function questionLines(
  incident: Pick<IncidentState, 'incident' | 'questions'>,
  state: QuestionState,
  { names, config }: { readonly names: Names; readonly config: string },
): readonly string[] {
  const { question } = state;
  if (state.status.state !== 'open')
    return [`${question.id}  ${question.text}`, `  ${statusText(state, names)}; asked by ${names.actor(question.requester)}`];
  return [
    question.text,
    `  asked by ${names.actor(question.requester)}; waits for ${question.levels[state.level]?.group ?? 'nobody'} until ${timeOf(state.levelUntil)}`,
    ...whoLines(state).map((line) => `  ${line}`),
    `  if nobody answers: ${question.onSilence}`,
    ...state.votes.map(({ vote }) => `  ${names.person(vote.person)} said ${vote.choice} at ${timeOf(vote.at)}`),
    ...question.choices.flatMap((choice) => [
      `  ${choiceLine(choice)}`,
      `    ${answerCommand(incident, question, choice, config)}`,
    ]),
  ];
}

/** What is shown of an incident, whether it comes from the incident itself or from a desk. */
export interface PrintedIncident
  extends Pick<
    IncidentState,
    | 'incident'
    | 'title'
    | 'severity'
    | 'open'
    | 'openedAt'
    | 'reached'
    | 'verdict'
    | 'verdictWhy'
    | 'ran'
    | 'counts'
    | 'total'
    | 'images'
  > {
  readonly steps: readonly Pick<StepState, 'state' | 'action' | 'target' | 'detail'>[];
  readonly leases: readonly (Pick<Lease, 'id' | 'state' | 'until' | 'action'> & {
    readonly target: Pick<Lease['target'], 'name'>;
    readonly refused?: Pick<RefusedRelease, 'nextAt'>;
  })[];
  readonly evidence: readonly EvidenceRef[];
  readonly timeline: readonly TimelineEntry[];
}

interface Besides {
  readonly names: Pick<Names, 'actor'>;
  /** The state of the records, in words. */
  readonly records: string;
  /** Lines printed in yellow above everything else. */
  readonly warnings: readonly string[];
  readonly deadlines: readonly string[];
  /** The lines of each question that comes first: people are waited for. */
  readonly asked: readonly (readonly string[])[];
  /** The lines of each other question. */
  readonly questions: readonly (readonly string[])[];
  readonly tickets: readonly string[];
}

/** What ran, in a sentence and with its command line. */
function ranLines({ ran }: PrintedIncident): readonly string[] {
  if (!ran) return [];
  const command = ran.commandLine === undefined ? [] : [`  command line: ${ran.commandLine}`];
  return [ran.sentence, ...command, `  rule: ${ran.rule}`];
}

/** Prints the whole incident for people: what ran and what is asked, then what came in, what was done, what is still in force, what is on record. */
export function printIncident(state: PrintedIncident, besides: Besides): void {
  const { names, records, warnings, deadlines, asked, questions, tickets } = besides;
  for (const line of warnings) print(styled('yellow', printable(line)));
  print(`${severityText(state.severity)}  ${styled('bold', printable(state.title))}  ${state.open ? 'open' : 'closed'}`);
  for (const line of ranLines(state)) print(printable(line));
  for (const [first = '', ...others] of asked) {
    heading(first);
    for (const line of others) print(printable(line));
  }
  print();
  printFacts([
    ['incident', printable(state.incident.id)],
    ['run', printable(state.incident.run)],
    ['opened', timeOf(state.openedAt)],
    ['reached', state.reached],
    ['verdict', printable(`${state.verdict}${state.verdictWhy ? `: ${state.verdictWhy}` : ''}`)],
    ['records', printable(records)],
  ]);
  if (deadlines.length > 0) {
    heading('Notifications to authorities');
    for (const line of deadlines) print(printable(line));
  }
  heading(`Alerts (${state.total})`);
  printTable(state.counts, [
    { title: 'COUNT', text: (row) => String(row.count) },
    { title: 'SEVERITY', text: (row) => row.severity, style: (row, text) => severityText(row.severity, text.length) },
    { title: 'LAST SEEN', text: (row) => timeOf(row.lastSeen) },
    { title: 'POD', text: (row) => row.pod ?? '-' },
    { title: 'RULE', text: (row) => row.rule },
  ]);
  if (state.steps.length > 0) {
    heading('Steps');
    printTable(state.steps, [
      { title: 'STATE', text: (row) => row.state },
      { title: 'ACTION', text: (row) => row.action },
      { title: 'TARGET', text: (row) => row.target },
      { title: 'DETAIL', text: (row) => row.detail },
    ]);
  }
  const { images = [] } = state;
  if (images.length > 0) {
    heading('Images');
    printTable(images, [
      { title: 'CONTAINER', text: (row) => row.container },
      { title: 'IMAGE', text: (row) => row.image },
      { title: 'SIGNATURE', text: signatureText },
      { title: 'ATTESTATIONS', text: (row) => [...new Set(row.attestations.map(({ type }) => type))].join(', ') || '-' },
    ]);
  }
  if (state.leases.length > 0) {
    heading('Leases');
    printTable(state.leases, [
      { title: 'LEASE', text: (row) => row.id },
      { title: 'STATE', text: (row) => row.state },
      { title: 'UNTIL', text: leaseEnd },
      { title: 'ACTION', text: (row) => row.action },
      { title: 'TARGET', text: (row) => row.target.name },
    ]);
  }
  if (questions.length > 0) {
    heading('Questions');
    for (const lines of questions) for (const line of lines) print(printable(line));
  }
  if (tickets.length > 0) {
    heading('Tickets');
    for (const line of tickets) print(printable(line));
  }
  if (state.evidence.length > 0) {
    heading('Evidence');
    printTable(
      state.evidence.flatMap(({ manifestSha256, target, artefacts }) =>
        artefacts.map((artefact) => ({ ...artefact, manifest: manifestSha256, target: target.name })),
      ),
      [
        { title: 'MANIFEST', text: (row) => row.manifest.slice(0, 12) },
        { title: 'TARGET', text: (row) => row.target },
        { title: 'BYTES', text: (row) => String(row.bytes) },
        { title: 'ARTEFACT', text: (row) => `${row.name}${row.partial === undefined ? '' : ` (partial: ${row.partial})`}` },
        { title: 'SHA-256', text: (row) => row.sha256 },
      ],
    );
  }
  heading('Timeline');
  for (const entry of state.timeline) print(timelineLine(entry, names));
}

/** What the incident itself reports, with what is in force above it. */
export function besidesOf(
  state: Pick<IncidentState, 'incident' | 'audit' | 'questions' | 'tickets'>,
  about: {
    readonly names: Names;
    readonly restraints: readonly RestraintTerms[];
    readonly deadlines: readonly string[];
    /** The file of the configuration in use. */
    readonly config: string;
  },
): Besides {
  const { names, restraints, deadlines } = about;
  const open = state.questions.filter(({ status }) => status.state === 'open');
  const ofPlaybooks = open.filter(({ question }) => !isOfLease(question.id));
  const asked = ofPlaybooks.length > 0 ? ofPlaybooks : open;
  const linesOf = (one: QuestionState): readonly string[] => questionLines(state, one, about);
  return {
    names,
    records: `${state.audit.acknowledged} of ${state.audit.made} in the audit store`,
    warnings: restraints.map((terms) => `In force: ${restraintTitle(terms)} (${terms.id}) until ${terms.until}: ${terms.reason}`),
    deadlines,
    asked: asked.map(linesOf),
    questions: state.questions.filter((one) => !asked.includes(one)).map(linesOf),
    tickets: (state.tickets ?? []).map(({ system, id, url }) => `${system} ${id}${url ? `  ${url}` : ''}`),
  };
}
