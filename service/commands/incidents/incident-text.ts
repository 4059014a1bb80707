import { signatureText } from '../../../core/action/image-signature.ts';
import { labelOf } from '../../../core/cards/choice-label.ts';
import { type Choice, needsReason } from '../../../core/decide/approval.ts';
import { askedFor } from '../../../core/decide/form.ts';
import type { EvidenceRef } from '../../../core/evidence/evidence.ts';
import type { IncidentState, QuestionState, StepState, TimelineEntry } from '../../../core/incident/incident-state.ts';
import type { Lease, RefusedRelease } from '../../../core/incident/lease.ts';
import { type RestraintTerms, restraintTitle } from '../../../core/orders/restraint.ts';
import { type Names, statusText } from '../../incidents/names.ts';
import type { IncidentRow, IncidentRows } from '../../incidents/rows.ts';
import type { CommonOptions } from '../options.ts';
import { print, printable, printFacts, printJson, printTable, severityText, styled } from '../output.ts';

/** `2026-11-24T23:29:39.123Z` as `23:29:39.123`, with the date if the day differs from `day`. */
export function timeOf(iso: string): string {
  return printable(iso).replace('T', ' ').replace(/Z$/, '');
}

function heading(text: string): void {
  print(`\n${styled('bold', text)}`);
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

/** `firebreak incidents list`. */
export function printRows({ rows, notes }: IncidentRows, { json, all }: CommonOptions & { readonly all?: true }): void {
  if (json) printJson(rows);
  else if (rows.length === 0) print(all ? 'No incidents.' : 'No open incidents.');
  else printRowTable(rows);
  for (const note of notes) process.stderr.write(`${printable(note)}\n`);
}

function printRowTable(rows: readonly IncidentRow[]): void {
  printTable(rows, [
    { title: 'OPENED', text: (row) => row.openedAt.replace('T', ' ').slice(0, 19) },
    { title: 'SEVERITY', text: (row) => row.severity, style: (row, text) => severityText(row.severity, text.length) },
    { title: 'STATE', text: (row) => `${row.open ? 'open' : 'closed'}${row.confirmed ? '' : ', not confirmed'}` },
    { title: 'INCIDENT', text: (row) => row.incident },
    { title: 'RULES', text: (row) => row.rules.join(', ') },
  ]);
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
  const { id, quorum, plans } = choice;
  const touches = plans.flatMap((plan) => plan.blastRadius);
  const facts = [
    quorum === 1 ? '1 person' : `${quorum} people`,
    touches.length === 0 ? 'changes nothing' : touches.join(', '),
    ...(needsReason(choice) ? ['needs --reason'] : []),
    ...Object.entries(choice.form ?? {}).map(([name, of]) => `--set ${name}=… (${of.label}: ${askedFor(of)})`),
  ];
  return `--choice ${id}: ${labelOf(choice)} (${facts.join('; ')})`;
}

function questionLines(state: QuestionState, names: Names): readonly string[] {
  const { question } = state;
  const about = [
    `${question.id}  ${question.text}`,
    `  ${statusText(state, names)}; asked by ${names.actor(question.requester)}`,
  ];
  if (state.status.state !== 'open') return about;
  return [
    ...about,
    `  asked: ${question.levels[state.level]?.group ?? 'nobody'}, until ${timeOf(state.levelUntil)}`,
    ...whoLines(state).map((line) => `  ${line}`),
    ...question.choices.map((choice) => `  ${choiceLine(choice)}`),
    ...state.votes.map(({ vote }) => `  ${names.person(vote.person)} said ${vote.choice} at ${timeOf(vote.at)}`),
  ];
}

/** What is shown of an incident, whether it comes from the incident itself or from a desk. */
export interface PrintedIncident
  extends Pick<
    IncidentState,
    'incident' | 'title' | 'severity' | 'open' | 'openedAt' | 'reached' | 'verdict' | 'verdictWhy' | 'counts' | 'total' | 'images'
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
  /** The lines of each question. */
  readonly questions: readonly (readonly string[])[];
  readonly tickets: readonly string[];
}

/** Prints the whole incident for people: what came in, what was done, what is asked, what is still in force, what is on record. */
export function printIncident(state: PrintedIncident, besides: Besides): void {
  const { names, records, warnings, deadlines, questions, tickets } = besides;
  for (const line of warnings) print(styled('yellow', printable(line)));
  print(`${severityText(state.severity)}  ${styled('bold', printable(state.title))}  ${state.open ? 'open' : 'closed'}`);
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
  state: Pick<IncidentState, 'audit' | 'questions' | 'tickets'>,
  about: { readonly names: Names; readonly restraints: readonly RestraintTerms[]; readonly deadlines: readonly string[] },
): Besides {
  const { names, restraints, deadlines } = about;
  return {
    names,
    records: `${state.audit.acknowledged} of ${state.audit.made} in the audit store`,
    warnings: restraints.map((terms) => `In force: ${restraintTitle(terms)} (${terms.id}) until ${terms.until}: ${terms.reason}`),
    deadlines,
    questions: state.questions.map((one) => questionLines(one, names)),
    tickets: (state.tickets ?? []).map(({ system, id, url }) => `${system} ${id}${url ? `  ${url}` : ''}`),
  };
}
