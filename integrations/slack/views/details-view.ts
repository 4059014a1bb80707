import type { KnownBlock, ModalView } from '@slack/types';
import { ruleText } from '../../../core/alert/what-ran.ts';
import type { QuestionCard } from '../../../core/cards/card.ts';
import {
  effectText,
  endedText,
  heldText,
  leftText,
  needsText,
  notHeld,
  placeOf,
  surenessOf,
  verdictText,
} from '../../../core/cards/card-words.ts';
import { answersText } from '../../../core/decide/form.ts';
import { shortIncidentId, type Verdict } from '../../../core/incident/incident.ts';
import type { Similar } from '../../../core/incident/similar.ts';
import type { WorkloadLeft } from '../../../core/incident/workload-left.ts';
import { context, section, words } from './blocks.ts';
import { labelOf } from './render.ts';
import { chunks, code, inline, linesUpTo, localTime, preformatted, sizeText } from './text.ts';

/** A modal holds 100 blocks. */
const mostSections = 40;
const mostChoices = 20;

/** Shows everything that the card has no room for; nothing is decided here. `mrkdwn` is the incident's story, escaped already. */
export function detailsView(card: QuestionCard, mrkdwn: string): ModalView {
  const { incident } = card;
  return {
    type: 'modal',
    title: words('Details', 24),
    close: words('Close', 24),
    blocks: [
      context([
        inline(incident.severity.toUpperCase(), 20),
        inline(placeOf(incident), 200),
        `cluster ${inline(incident.cluster, 60)}`,
      ]),
      section(`*${inline(card.text, 2_900)}*`),
      section(happened(card)),
      section(contained(card)),
      ...(card.left ? [section(left(card.left))] : []),
      section(evidence(card)),
      ...(card.posture ? [section(postureOf(card.posture))] : []),
      ...(card.similar ? [section(similar(card.similar, incident.cluster))] : []),
      ...(card.ticketNews === undefined ? [] : [section(`*Ticket*\n${inline(card.ticketNews, 1_000)}`)]),
      { type: 'divider' },
      ...card.choices.slice(0, mostChoices).map((choice) => planSection(choice, card)),
      section(answerers(card)),
      ...(card.votes.length === 0 ? [] : [section(votes(card))]),
      { type: 'divider' },
      ...chunks(mrkdwn).slice(0, mostSections).map(section),
    ],
  };
}

/** The full effect of a choice. */
function planSection(choice: QuestionCard['choices'][number], card: QuestionCard): KnownBlock {
  const { label, changes, blastRadius, notes } = choice;
  const lines = [
    `*${inline(label, 100)}*: ${inline(needsText(choice, card.votes), 300)}, ${effectText(choice)}`,
    ...(changes.length === 0 ? ['Changes nothing.'] : changes.map((change) => `•  ${inline(change, 300)}`)),
    ...blastRadius.map((target) => `Touches ${code(target, 300)}`),
    ...notes.map((note) => `_Note:_ ${inline(note, 300)}`),
  ];
  return section(linesUpTo(lines, 2_900));
}

function happened({ happened: of }: QuestionCard): string {
  const line = (name: string, value: string | undefined) => (value === undefined ? [] : [`${name}: ${code(value, 300)}`]);
  const times = of.count > 1 ? `, ${of.count} times` : '';
  return [
    `*What happened*\n${inline(ruleText(of.rule), 300)} (${inline(of.sensor, 40)}), ${localTime(of.at)}${times}`,
    ...(of.doubt === undefined ? [] : [`⚠️ *In doubt*: ${inline(of.doubt, 500)}`]),
    ...(of.novelty === undefined ? [] : [inline(of.novelty, 500)]),
    ...(of.wouldHave === undefined ? [] : [`*${inline(of.wouldHave, 300)}*`]),
    ...(of.reasons === undefined ? [] : ['Why:', ...of.reasons.map((reason) => `•  ${inline(reason, 300)}`)]),
    ...line('Pod', of.pod),
    ...line('Image', of.image),
    ...(of.signature === undefined ? [] : [`Image: ${inline(of.signature, 300)}`]),
    ...(of.rollout ? [rolloutText(of.rollout)] : []),
    ...line('Process', of.process),
    ...line('User', of.user),
    ...(of.request ? line('Account', of.request.account) : []),
    ...(of.commandLine === undefined ? [] : [preformatted(of.commandLine, 900)]),
  ].join('\n');
}

function rolloutText({ revision, at }: NonNullable<QuestionCard['happened']['rollout']>): string {
  const when = at === undefined ? 'an older one, rolled out again' : localTime(at);
  return `Last deploy: revision ${code(revision, 20)}, ${when}`;
}

function contained({ contained: all, ended = [] }: QuestionCard): string {
  if (all.length === 0 && ended.length === 0) return `*Containment*\n${notHeld}.`;
  const lines = all.map((held) => {
    const until = held.until === undefined ? 'until somebody ends it' : `until ${localTime(held.until)}`;
    const proof = held.detail === undefined ? '' : `\n${inline(held.detail, 600)}`;
    const effect = held.effect === undefined ? '' : `\n${inline(held.effect, 1_200)}`;
    return `•  *${inline(heldText(held), 300)}*: ${surenessOf(held)}, since ${localTime(held.since)}, ${until}${proof}${effect}`;
  });
  const over = ended.map((one) => `•  ${inline(endedText(one), 300)}, ${localTime(one.at)}`);
  return linesUpTo(['*Containment*', ...lines, ...over], 2_900);
}

/** The cost of a yes. */
function left(of: WorkloadLeft): string {
  const line = (what: string, names: readonly string[] | undefined) =>
    names === undefined ? [] : [`${what}: ${names.length === 0 ? 'none' : names.map((name) => code(name, 100)).join(', ')}`];
  return linesUpTo(
    [
      '*Remaining capacity*',
      `${leftText(of)}, ${localTime(of.at)}`,
      ...line('Services', of.services),
      ...line('Disruption budgets', of.budgets),
      ...line('Secrets', of.secrets),
    ],
    2_900,
  );
}

/** Commands are shown as code, so that they can be copied from here. */
function postureOf(lines: readonly string[]): string {
  const shown = lines.map((line) => {
    const [, words = '', command] = /^(.*?: )(kubectl .*)$/s.exec(line) ?? [];
    return command === undefined ? inline(line, 500) : `${inline(words, 200)}${code(command, 1_500)}`;
  });
  return linesUpTo(['*What it is allowed to do*', ...shown], 2_900);
}

function evidence(card: QuestionCard): string {
  if (card.evidence.length === 0) return '*Evidence*\nNone kept yet.';
  const lines = card.evidence.map(
    (one) => `•  ${inline(one.name, 100)}, ${sizeText(one.bytes)}, SHA-256 ${code(one.sha256.slice(0, 12), 16)}`,
  );
  return linesUpTo([`*Evidence kept* (${card.evidence.length})`, ...lines], 2_900);
}

/** Who may answer now, and who may not although they would otherwise be asked. */
function answerers({ level: { group, until, people } }: QuestionCard): string {
  const who =
    people === undefined ? '' : people.length === 0 ? ': nobody' : `: ${people.map((name) => inline(name, 60)).join(', ')}`;
  return linesUpTo([`*Who may answer*\n${inline(group, 60)} until ${localTime(until)}${who}`], 2_900);
}

function votes(card: QuestionCard): string {
  const lines = card.votes.map(({ person, choice, at, reason, answers }) => {
    const filled = answers === undefined ? '' : ` (${inline(answersText(answers), 300)})`;
    const why = reason === undefined ? '' : `: “${inline(reason, 200)}”`;
    return `•  ${inline(person, 60)}: ${inline(labelOf(card, choice), 80)}, ${localTime(at)}${filled}${why}`;
  });
  return linesUpTo([`*Answers so far* (${card.votes.length})`, ...lines], 2_900);
}

const order: readonly Verdict[] = ['true_positive', 'suspicious', 'benign', 'unknown'];

/** Outcomes of incidents that looked like this one. Ids of the same cluster are written as people type them. */
function similar({ by, days, total, more, verdicts, latest }: Similar, cluster: string): string {
  const counts = order.flatMap((verdict) => (verdicts[verdict] ? [`${verdicts[verdict]} ${verdictText[verdict]}`] : []));
  const lines = latest.map(
    ({ id, at, verdict }) => `•  ${code(shortIncidentId(id, cluster), 160)}, ${localTime(at)}: ${verdictText[verdict]}`,
  );
  const number = more ? `more than ${total}` : String(total);
  return linesUpTo([`*Similar incidents* (same rule and ${by}, ${days} days)\n${number}: ${counts.join(', ')}`, ...lines], 2_900);
}
