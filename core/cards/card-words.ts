import { actions } from '../actions/index.ts';
import { placeText, ruleText, whatRan } from '../alert/what-ran.ts';
import { actKindOf } from '../assessment/act-kind.ts';
import { subjectOfIncident, type Verdict } from '../incident/incident.ts';
import type { Similar } from '../incident/similar.ts';
import type { WorkloadLeft } from '../incident/workload-left.ts';
import { lastPart, shortName, spelt } from '../text/object-name.ts';
import type { EndedEffect, HeldEffect, QuestionCard } from './card.ts';

/**
 * What people read of a question, on a card, a page or in a terminal: whole sentences and their parts. Markup, times and escaping are left to the surface.
 * Style: docs/writing.md, enforced by a test.
 */

type Happened = QuestionCard['happened'];
type Choice = QuestionCard['choices'][number];
type About = Pick<QuestionCard, 'happened'> & { readonly incident: Pick<QuestionCard['incident'], 'id' | 'title'> };

/** Returns `shop/cart`, `node n1`, `the whole cluster`: what the incident is about, without the kind of its owner. */
export function placeOf({ id, title }: Pick<QuestionCard['incident'], 'id' | 'title'>): string {
  const subject = subjectOfIncident(id);
  if (!subject) return title;
  return subject.kind === 'cluster' ? 'the whole cluster' : placeText(subject);
}

/** Returns who did what, where, in one sentence, from what the alert names. A proposal is about no alert: its rule is its sentence. */
export function happenedText({ happened, incident }: About): string {
  const subject = subjectOfIncident(incident.id);
  return subject ? whatRan(happened, subject).sentence : ruleText(happened.rule);
}

/** What each ATT&CK tactic means, the worst first. Only the id is taken from an alert, so the words are never the attacker's. */
const tacticWords: readonly (readonly [id: string, why: string])[] = [
  ['TA0040', 'Data or services may be destroyed'],
  ['TA0010', 'Data may be leaving'],
  ['TA0011', 'It may be controlled from outside'],
  ['TA0006', 'Passwords or keys may be stolen'],
  ['TA0008', 'It may spread to other machines'],
  ['TA0004', 'It may gain more rights'],
  ['TA0112', 'It may switch off a defence'],
  ['TA0002', 'An attacker may be running code'],
  ['TA0003', 'It may survive a restart'],
  ['TA0001', 'It may be a way in'],
  ['TA0009', 'Somebody may be gathering data'],
  ['TA0005', 'It may hide an attack'],
  ['TA0007', 'Somebody may be looking around'],
  ['TA0043', 'Somebody may be looking for a way in'],
];

/** Returns why it matters, in one clause, by the tactic that the rule names. Undefined if it names none, or if the sentence itself says why. */
export function mattersText(happened: Happened): string | undefined {
  const { tactics = [], process, sensor, rule, act = actKindOf({ sensor, rule }) } = happened;
  if (process !== undefined && act !== undefined) return undefined;
  return tacticWords.find(([id]) => tactics.includes(id))?.[1];
}

/** Returns whether the sentence states the alert's own facts: then the name of its rule is shown next to it. */
export function hasOwnFacts({ request, process }: Happened): boolean {
  return request !== undefined || process !== undefined;
}

/** Followed by the time. */
export function alertsText({ count }: Pick<Happened, 'count'>): string {
  return count === 1 ? '1 alert at' : `${count} alerts since`;
}

/** Returns two words; `signature` is what the cell says about it. Undefined if nobody knows. */
export function signedText({ signature = '' }: Pick<Happened, 'signature'>): string | undefined {
  if (signature.startsWith('signed')) return 'image signed';
  return signature.startsWith('unsigned') ? 'image not signed' : undefined;
}

/** How sure a containment is, in three words. */
export const sureness: Readonly<Record<HeldEffect['state'], string>> = {
  planned: 'not yet applied',
  running: 'being applied now',
  applied: 'applied, not tested',
  verified: 'proven by test',
  unverified: 'not proven yet',
  partial: 'only partly applied',
  failed: 'could not apply',
  undone: 'no longer applied',
  drifted: 'changed by others',
  skipped: 'skipped',
};

/** The same for what is in force: a refused release comes first. */
export function surenessOf({ state, isReleaseRefused }: Pick<HeldEffect, 'state' | 'isReleaseRefused'>): string {
  return isReleaseRefused ? 'release refused' : sureness[state];
}

/** The same for a step of any action: a step that contains nothing, such as keeping evidence, cannot be proven by a test. */
export function stepSureness({ action, state }: Pick<HeldEffect, 'action' | 'state'>): string {
  const contains = actions.find(({ name }) => name === action)?.words?.held !== undefined;
  if (contains || !(state === 'applied' || state === 'verified' || state === 'unverified')) return sureness[state];
  return state === 'verified' ? 'done and checked' : 'done, not checked';
}

/** Returns what is in force: `cart-7d9c5b6f4-x2x8k quarantined`. The pod of the alert needs no name: `Quarantined`. */
export function heldText({ action, target }: Pick<HeldEffect, 'action' | 'target'>, pod?: string): string {
  const held = actions.find(({ name }) => name === action)?.words?.held ?? `“${spelt(action)}”`;
  if (pod === undefined || target !== `pod/${pod}`) return `${lastPart(target)} ${held}`;
  return `${held.charAt(0).toUpperCase()}${held.slice(1)}`;
}

/** Returns how a containment ended: `Released: cart-7d9c5b6f4-x2x8k has its network back`. */
export function endedText({ action, target, how }: Pick<EndedEffect, 'action' | 'target' | 'how'>): string {
  const name = shortName(lastPart(target));
  const words = actions.find((one) => one.name === action)?.words;
  if (how === 'gone') return `Ended: ${name} no longer exists`;
  if (how === 'drifted') return `Not released: somebody else has changed ${name}`;
  return `Released: ${name} ${words?.ended ?? `is no longer ${words?.held ?? `“${spelt(action)}”`}`}`;
}

/** News about a containment while nobody decides, for its thread, a page and its ticket. */
export const leaseNews = {
  renewed: (lease: Lease): string =>
    `${containmentText(lease)}: nobody has decided, so it stays for one more term. A containment is never lifted because nobody answered.`,
  escalated: (lease: Lease): string => `${containmentText(lease)} for more than 72 hours, and stays: somebody must decide.`,
  /** @param how what was restored; needed only for an action that has no words of its own */
  released: ({ action, target }: Lease, how: string): string => {
    const hasWords = actions.some(({ name, words }) => name === action && words?.ended !== undefined);
    return `${endedText({ action, target: target.name, how: 'released' })}.${hasWords ? '' : ` ${how}`}`;
  },
  gone: ({ action, target }: Lease): string =>
    `${endedText({ action, target: target.name, how: 'gone' })}, so its containment is over.`,
  permanent: (lease: Lease, how: string): string => `For good: ${containmentText(lease)}, ${how}`,
  refused: (lease: Lease, why: string): string => `${containmentText(lease)}, and could not be released: ${why}`,
  /**
   * @param holders ids of playbooks
   * @param elsewhere the open question that decides on the release: while there is one, it cannot be released with the command
   */
  heldByOthers: (lease: Lease, holders: readonly string[], elsewhere?: string): string => {
    const hold = holders.length === 1 ? 'holds' : 'hold';
    const next =
      elsewhere === undefined ? 'Release it with firebreak lease release.' : `Answer the open question: “${elsewhere}”`;
    return `Still contained: ${containmentText(lease)}. It was due to be released, but ${holders.join(' and ')} also ${hold} it. ${next}`;
  },
  /** @param next ISO 8601 */
  refusedForNow: (lease: Lease, why: string, next: string): string =>
    `Still contained: ${containmentText(lease)}. Its release is refused: ${why}. Fix the cause. The release is retried automatically, next at ${next}.`,
  drifted: (lease: Lease, why: string): string =>
    `${containmentText(lease)}, but somebody has changed it. It is left as it is: ${why}`,
};

type Lease = { readonly action: string; readonly target: { readonly name: string } };

/** Returns `cart-7d9c5b6f4-x2x8k quarantined`: a containment by its object. */
export function containmentText({ action, target }: Lease): string {
  return heldText({ action, target: target.name });
}

/** Returns the question asked about a containment for as long as it is in force. The duration is shown next to it, in the reader's time zone. */
export function standingQuestionText(lease: Lease): string {
  return `${containmentText(lease)}: extend it, keep it for good, or end it?`;
}

/** Shown if nothing is in force. */
export const notHeld = 'Not contained: it runs as before';

/** Returns what a yes would cost. */
export function leftText({ ready, pods }: Pick<WorkloadLeft, 'ready' | 'pods'>): string {
  if (pods === 0) return 'no pod is left';
  return `${ready} of ${pods} ${pods === 1 ? 'pod' : 'pods'} ready`;
}

export function similarText({ total, more, verdicts }: Similar): string {
  const harmless = verdicts.benign ?? 0;
  const many = more ? `more than ${total}` : String(total);
  return harmless === 0 ? `similar: ${many}, none harmless` : `similar: ${harmless} of ${many} harmless`;
}

/** Returns how many people it takes, and who of them has agreed so far. */
export function needsText({ quorum, id }: Pick<Choice, 'quorum' | 'id'>, votes: QuestionCard['votes']): string {
  const said = votes.filter(({ choice }) => choice === id).map(({ person }) => person);
  const people = quorum === 1 ? '1 person' : `${quorum} people`;
  return said.length === 0 ? people : `${said.length} of ${people} (${said.join(', ')})`;
}

/** Returns the effect of a choice in a few words. */
export function effectText({ destructive, weakens, stepUp, actions: runs = [], changes, form }: Choice): string {
  const endsOnly = runs.length > 0 && runs.every((action) => action.startsWith('undo:'));
  const weaker =
    runs.length === 0 && changes.length < 2 ? 'calls it harmless' : endsOnly ? 'ends containment' : 'weakens the response';
  const milder = changes.length === 0 ? 'changes nothing' : 'can be undone';
  const effect = destructive ? 'cannot be undone' : weakens ? weaker : milder;
  return [effect, ...(stepUp ? ['needs a sign-in'] : []), ...(form ? ['has a form'] : [])].join(', ');
}

/** Returns what a choice that weakens the response gives up, in a sentence. */
export function weakeningText({ actions: runs = [] }: Pick<Choice, 'actions'>): string {
  if (runs.length === 0) return 'This calls it harmless.';
  const given = runs.map((run) => actions.find(({ name }) => run === `undo:${name}`)?.words?.ended);
  const [first] = given;
  if (first === undefined || given.some((one) => one !== first)) return 'This weakens the response.';
  return `After this, it ${first}.`;
}

/** Returns who is asked next. */
export function nextText({ next }: Pick<QuestionCard['level'], 'next'>): string {
  return next === undefined ? 'then nobody' : `then ${next}`;
}

/** The outcome of a question, in capitals at the top of its card. */
export const ended: Readonly<Record<Exclude<QuestionCard['status']['state'], 'open'>, string>> = {
  decided: 'DECIDED',
  expired: 'NO ANSWER',
  void: 'CLOSED',
};

/** What an incident was found to be. */
export const verdictText: Readonly<Record<Verdict, string>> = {
  true_positive: 'an attack',
  benign: 'harmless',
  suspicious: 'suspicious',
  unknown: 'not decided yet',
};
