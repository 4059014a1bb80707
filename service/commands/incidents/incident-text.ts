import { signatureText } from '../../../core/action/image-signature.ts';
import { labelOf } from '../../../core/cards/choice-label.ts';
import { type Choice, needsReason } from '../../../core/decide/approval.ts';
import { askedFor } from '../../../core/decide/form.ts';
import type { IncidentState, QuestionState, TimelineEntry } from '../../../core/incident/incident-state.ts';
import type { Lease } from '../../../core/incident/lease.ts';
import { type RestraintTerms, restraintTitle } from '../../../core/orders/restraint.ts';
import { type Names, statusText } from '../../incidents/names.ts';
import { print, printable, printFacts, printTable, severityText, styled } from '../output.ts';

/** `2026-11-24T23:29:39.123Z` as `23:29:39.123`, with the date where it is another day than `day`. */
function timeOf(iso: string): string {
  return printable(iso).replace('T', ' ').replace(/Z$/, '');
}

function heading(text: string): void {
  print(`\n${styled('bold', text)}`);
}

export function timelineLine(entry: TimelineEntry, { actor }: Pick<Names, 'actor'>): string {
  const kind = entry.kind.padEnd(20);
  return `${styled('dim', timeOf(entry.at))}  ${printable(kind)}  ${printable(entry.text)}  ${styled('dim', printable(actor(entry.actor)))}`;
}

function leaseEnd(lease: Lease): string {
  return lease.state === 'active' ? timeOf(new Date(lease.until).toISOString()) : '-';
}

/** Who may answer, as far as the cell has said it. */
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
    ...(needsReason(choice) ? ['say why with --reason'] : []),
    ...Object.entries(choice.form ?? {}).map(([name, of]) => `set --set ${name}=… (${of.label}: ${askedFor(of)})`),
  ];
  return `--choice ${id}: ${labelOf(choice)} (${facts.join('; ')})`;
}

function printQuestions(questions: readonly QuestionState[], names: Names): void {
  heading('Questions');
  for (const state of questions) {
    const { question } = state;
    print(`${printable(question.id)}  ${printable(question.text)}`);
    print(`  ${printable(statusText(state, names))}`);
    if (state.status.state !== 'open') continue;
    print(`  asked: ${printable(question.levels[state.level]?.group ?? 'nobody')}, until ${timeOf(state.levelUntil)}`);
    for (const line of whoLines(state)) print(`  ${printable(line)}`);
    for (const choice of question.choices) print(`  ${printable(choiceLine(choice))}`);
    for (const { vote } of state.votes)
      print(`  ${printable(names.person(vote.person))} said ${printable(vote.choice)} at ${timeOf(vote.at)}`);
  }
}

/** The whole incident for people: what came in, what was done, what is asked, what lasts, what is on record. */
export function printIncident(
  state: IncidentState,
  {
    names,
    restraints,
    deadlines,
  }: { readonly names: Names; readonly restraints: readonly RestraintTerms[]; readonly deadlines: readonly string[] },
): void {
  for (const terms of restraints)
    print(styled('yellow', printable(`In force: ${restraintTitle(terms)} (${terms.id}) until ${terms.until}: ${terms.reason}`)));
  print(`${severityText(state.severity)}  ${styled('bold', printable(state.title))}  ${state.open ? 'open' : 'closed'}`);
  printFacts([
    ['incident', printable(state.incident.id)],
    ['run', printable(state.incident.run)],
    ['opened', timeOf(state.openedAt)],
    ['reached', state.reached],
    ['verdict', printable(`${state.verdict}${state.verdictWhy ? `: ${state.verdictWhy}` : ''}`)],
    ['records', `${state.audit.acknowledged} of ${state.audit.made} in the audit store`],
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
  if (state.questions.length > 0) printQuestions(state.questions, names);
  const { tickets = [] } = state;
  if (tickets.length > 0) {
    heading('Tickets');
    for (const { system, id, url } of tickets) print(printable(`${system} ${id}${url ? `  ${url}` : ''}`));
  }
  if (state.evidence.length > 0) {
    heading('Evidence');
    printTable(
      state.evidence.flatMap(({ artefacts }) => artefacts),
      [
        { title: 'BYTES', text: (row) => String(row.bytes) },
        { title: 'SHA-256', text: (row) => row.sha256 },
        { title: 'NAME', text: (row) => `${row.name}${row.partial === undefined ? '' : ` (partial: ${row.partial})`}` },
      ],
    );
  }
  heading('Timeline');
  for (const entry of state.timeline) print(timelineLine(entry, names));
}
