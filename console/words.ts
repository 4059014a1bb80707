import type { ListedIncident, ShownLease, ShownStep, TimelineRecord } from '../core/console/console.schema.ts';
import { lastPart } from '../core/text/object-name.ts';
import { plainText as engineText, targetText, wholeTargetText } from '../core/text/plain-text.ts';
import { timeText } from './time.ts';

/** The console's texts, in the words of docs/writing.md. Pure. */

/** Text from the engine, for people: see `core/text/plain-text.ts`; times in the reader's zone. */
export function plainText(text: string, now: number, names: 'short' | 'whole' = 'short'): string {
  return engineText(text, { time: (iso) => timeText(iso, now), names });
}

export const verdictText: Readonly<Record<ListedIncident['verdict'], string>> = {
  true_positive: 'An attack',
  benign: 'Harmless',
  suspicious: 'Suspicious',
  unknown: 'Not decided yet',
};

function isVerdict(text: string): text is ListedIncident['verdict'] {
  return Object.hasOwn(verdictText, text);
}

const reachedText: Readonly<Record<ListedIncident['reached'], string>> = {
  detected: 'Detected',
  contained: 'Contained',
  eradicated: 'Removed',
  recovered: 'Recovered',
};

/** `shop/cart`, `Node n1`, `Cluster prod-1`: titles begin with the owner's kind. */
export function placeText({ title, namespace }: Pick<ListedIncident, 'title' | 'namespace'>): string {
  return namespace === null ? wholeTargetText(title) : `${namespace}/${lastPart(title)}`;
}

interface Toned {
  readonly text: string;
  readonly tone: 'good' | 'doubt' | 'bad' | '';
}

/** The incident's state in a few words, with the matching tone. */
export function standText(incident: ListedIncident): Toned {
  if (incident.state === 'closed') return { text: `Closed: ${verdictText[incident.verdict].toLowerCase()}`, tone: '' };
  if (incident.contained > 0)
    return incident.isProven ? { text: 'Contained', tone: 'good' } : { text: 'Contained, not proven', tone: 'doubt' };
  if (incident.reached === 'eradicated' || incident.reached === 'recovered')
    return { text: reachedText[incident.reached], tone: 'good' };
  return { text: 'Not contained', tone: 'doubt' };
}

/** `1 204`, as the docs write it; numbers of four digits and more are hard to read otherwise. */
export function numberText(number: number): string {
  return String(number).replaceAll(/(?<=\d)(?=(?:\d{3})+$)/g, '\u202f');
}

export function countText(count: number, one: string, many = `${one}s`): string {
  return `${numberText(count)} ${count === 1 ? one : many}`;
}

/** How certain a step's result is, by what was checked. */
export const stepStates: Readonly<
  Record<ShownStep['state'], { readonly text: string; readonly tone: 'good' | 'doubt' | 'bad' | '' }>
> = {
  planned: { text: 'Not yet applied', tone: '' },
  running: { text: 'Being applied now', tone: '' },
  applied: { text: 'Applied, not tested', tone: 'doubt' },
  verified: { text: 'Verified', tone: 'good' },
  unverified: { text: 'Not proven yet', tone: 'doubt' },
  partial: { text: 'Only partly applied', tone: 'bad' },
  failed: { text: 'Failed', tone: 'bad' },
  undone: { text: 'Undone', tone: '' },
  drifted: { text: 'Changed by others', tone: 'bad' },
  skipped: { text: 'Skipped', tone: '' },
};

const leaseStates: Readonly<Record<ShownLease['state'], string>> = {
  active: 'In force',
  permanent: 'In force for good',
  releasing: 'Being released',
  released: 'Released',
  gone: 'Ended: it no longer exists',
  drifted: 'Changed by others',
};

/** A containment by its lease: green only while a probe has proven it. */
export function leaseText({
  state,
  sure,
  isProven,
  refused,
}: Pick<ShownLease, 'state' | 'sure' | 'isProven' | 'refused'>): Toned {
  if (refused !== null) return { text: 'Release refused', tone: 'bad' };
  if (sure === null) return { text: leaseStates[state], tone: state === 'drifted' ? 'bad' : '' };
  return { text: `${leaseStates[state]}, ${sure}`, tone: isProven ? 'good' : 'doubt' };
}

type Entry = { readonly text: string; readonly tone?: 'good' | 'bad' | 'person' };

/** Names for kinds of records. Those not listed here are shown by their text alone. */
const entries: Readonly<Record<string, Entry>> = {
  'incident.opened': { text: 'First alert', tone: 'bad' },
  'alert.joined': { text: 'More alerts' },
  'alert.suppressed': { text: 'Alert suppressed' },
  'playbook.started': { text: 'Playbook started' },
  'playbook.again': { text: 'Playbook started again' },
  'playbook.done': { text: 'Playbook finished' },
  'playbook.failed': { text: 'Playbook failed', tone: 'bad' },
  'playbook.skipped': { text: 'Playbook skipped' },
  'step.planned': { text: 'Planned' },
  'step.joined': { text: 'Already done' },
  'step.checked': { text: 'Checked' },
  'step.delayed': { text: 'Step delayed', tone: 'bad' },
  'step.failed': { text: 'Step failed', tone: 'bad' },
  'step.unavailable': { text: 'Skipped' },
  'containment.whole': { text: 'Containment is complete', tone: 'good' },
  'containment.changed': { text: 'Containment was changed', tone: 'bad' },
  'containment.reasserted': { text: 'Containment restored', tone: 'good' },
  'containment.gone': { text: 'Containment ended' },
  'posture.found': { text: 'What the workload is allowed to do' },
  'effect.checked': { text: 'Checked whether it helped' },
  'question.asked': { text: 'Question asked', tone: 'person' },
  'question.decided': { text: 'Decided', tone: 'person' },
  'question.escalated': { text: 'More people were asked', tone: 'bad' },
  'question.expired': { text: 'Nobody answered in time', tone: 'bad' },
  'question.void': { text: 'Question closed' },
  'question.withheld': { text: 'Nobody was asked' },
  'question.comment': { text: 'Comment', tone: 'person' },
  'question.snoozed': { text: 'Asked to be reminded', tone: 'person' },
  'question.passed-on': { text: 'Passed on', tone: 'person' },
  'question.taken-over': { text: 'Replaced by a new question', tone: 'person' },
  'question.handed-over': { text: 'Shift changed' },
  'question.joined': { text: 'Further finding' },
  'vote.accepted': { text: 'Answer given', tone: 'person' },
  'vote.refused': { text: 'Answer refused', tone: 'bad' },
  'lease.renewed': { text: 'Containment renewed' },
  'lease.extended': { text: 'Containment extended', tone: 'person' },
  'lease.permanent': { text: 'Containment kept for good', tone: 'person' },
  'lease.released': { text: 'Containment released', tone: 'person' },
  'lease.gone': { text: 'Containment ended' },
  'lease.release-refused': { text: 'Release refused', tone: 'bad' },
  'lease.escalated': { text: 'Nobody answered: the containment stays' },
  'lease.drifted': { text: 'Somebody else changed it', tone: 'bad' },
  'evidence.late': { text: 'Evidence is late', tone: 'bad' },
  'evidence.waived': { text: 'Continues without evidence', tone: 'person' },
  'page.sent': { text: 'People paged' },
  'page.failed': { text: 'People could not be paged', tone: 'bad' },
  'ticket.failed': { text: 'Ticket failed', tone: 'bad' },
  'ticket.closed': { text: 'Ticket closed' },
  'ticket.news': { text: 'Ticket updated' },
  'actor.named': { text: 'Named as the actor' },
  'requester.named': { text: 'Ordered by a person', tone: 'person' },
  'decision.covers': { text: 'What the answer covers' },
  'incident.verdict': { text: 'Verdict' },
  'incident.closed': { text: 'Incident closed', tone: 'good' },
  'incident.reopened': { text: 'Incident reopened', tone: 'bad' },
};

/** A record as a sentence: what it was, and what the engine said about it. */
export function entryText(
  record: TimelineRecord,
  now: number,
): { readonly head: string; readonly detail: string; readonly tone: string } {
  const entry = entries[record.kind] ?? { text: '' };
  const detail = plainText(record.text, now);
  if (record.kind === 'step.applied') return { head: detail, detail: '', tone: 'good' };
  if (record.kind === 'step.checked') {
    const [, state = '', words = ''] = /: (\w+) \((.*)\)$/s.exec(record.text) ?? [];
    const known = Object.entries(stepStates).find(([name]) => name === state)?.[1];
    const on = record.target === null ? '' : `: ${targetText(record.target)}`;
    if (known) return { head: `${known.text}${on}`, detail: plainText(words, now), tone: known.tone };
  }
  if (record.kind === 'incident.verdict') {
    const [, verdict = '', why = ''] = /^(\w+): (.*)$/s.exec(record.text) ?? [];
    if (isVerdict(verdict))
      return { head: `Verdict: ${verdictText[verdict].toLowerCase()}`, detail: plainText(why, now), tone: '' };
  }
  if (record.kind === 'incident.closed') return { head: entry.text, detail: '', tone: 'good' };
  // The heading already names the person.
  if (record.kind === 'question.decided')
    return { head: entry.text, detail: detail.replace(/^(.*), by .*$/s, '$1'), tone: 'person' };
  if (record.actor.kind === 'person' && detail.startsWith(`${record.actor.name}: `))
    return { head: entry.text || detail, detail: detail.slice(record.actor.name.length + 2), tone: entry.tone ?? '' };
  if (entry.text === '') return { head: detail, detail: '', tone: '' };
  return { head: entry.text, detail, tone: entry.tone ?? '' };
}

/** `4 200` bytes are `4.2 kB`. */
export function sizeText(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`;
  const units = ['kB', 'MB', 'GB', 'TB'];
  const step = Math.min(Math.floor(Math.log10(bytes) / 3), units.length);
  return `${(bytes / 1000 ** step).toFixed(1)} ${units[step - 1]}`;
}
