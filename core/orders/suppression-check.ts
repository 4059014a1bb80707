import type { ApprovalProof, Question, SignedVote } from '../decide/approval.ts';
import { checkProof, keysThatSignFor, type SeenVote, type StepUp, timeOf, type VoteKeys } from '../decide/vote-check.ts';
import { isInAnyGroup, type Person, type Roster } from '../people/roster.ts';
import type { SignedReadEvidence } from './evidence-access.ts';
import {
  type ActiveSuppression,
  approveChoice,
  type DecidedSuppression,
  isQuestionOf,
  longestSuppressionMs,
  type Order,
  orderBytes,
  type SignedEnd,
  type SignedOrder,
  type SignedProposal,
  type SuppressionTerms,
} from './suppression.ts';

/** What the cell believes, and by which clock. */
export interface Beliefs {
  readonly cluster: string;
  readonly roster: Roster;
  readonly keys: VoteKeys;
  /** Groups of the roster that may decide on suppressions. */
  readonly groups: readonly string[];
  /** Milliseconds since 1970. */
  readonly now: number;
  /** Absent: no decision needs a sign-in. */
  readonly stepUp?: StepUp;
  /** Votes that were seen here when they arrived. Absent: none were. */
  readonly seen?: (question: Question) => readonly SeenVote[];
}

export type Checked<T> = ({ readonly ok: true } & T) | { readonly ok: false; readonly reason: string };

const clockToleranceMs = 5 * 60_000;

/**
 * Whether an order is signed for the person whom it names: with a key that the roster lists for them, or, where such an order may come by way
 * of Slack, with a desk’s.
 */
export function signedBy(
  signed: SignedOrder<Order>,
  { roster, keys }: Pick<Beliefs, 'roster' | 'keys'>,
  via: 'cli' | 'slack' = 'cli',
): Checked<{ readonly person: Person }> {
  const person = roster.people.find(({ id }) => id === signed.order.person);
  if (!person) return { ok: false, reason: `${signed.order.person} is not on the roster.` };
  if (!keysThatSignFor(keys, person, via).includes(signed.keyId))
    return { ok: false, reason: `This is signed by a key that ${via === 'slack' ? 'no desk has' : `is not ${person.id}’s`}.` };
  if (!keys.verify(signed.keyId, orderBytes(signed.order), signed.signature))
    return { ok: false, reason: 'The signature is not valid.' };
  return { ok: true, person };
}

/** Why terms are outside the limits that each kind of decision has; undefined when they are not. */
export function problemOf(
  terms: Pick<SuppressionTerms, 'cluster' | 'owner' | 'from' | 'until'>,
  { cluster, roster, now }: Beliefs,
  { what, longestMs } = { what: 'A suppression', longestMs: longestSuppressionMs },
): string | undefined {
  const [from, until] = [Date.parse(terms.from), Date.parse(terms.until)];
  if (terms.cluster !== cluster) return 'It is about another cluster.';
  if (!roster.people.some(({ id }) => id === terms.owner)) return `The owner ${terms.owner} is not on the roster.`;
  if (Number.isNaN(from) || Number.isNaN(until) || until <= from) return 'Its end is not after its beginning.';
  if (until - from > longestMs) return `${what} lasts ${longestMs / 86_400_000} days at most.`;
  if (from > now + clockToleranceMs) return 'It begins in the future.';
  if (until <= now) return 'It has ended already.';
  return undefined;
}

/** Whether a proposal may be put to people: signed for who makes it, by nobody who did what it hides, within the limits, and of today. */
export function checkProposal(signed: SignedProposal, beliefs: Beliefs): Checked<{ readonly person: Person }> {
  const { terms, person, via, actors = [] } = signed.order;
  const proposer = signedBy(signed, beliefs, via);
  if (!proposer.ok) return proposer;
  if (actors.includes(person))
    return { ok: false, reason: 'An alert of this incident names you as the actor: you may not suppress it.' };
  const problem = problemOf(terms, beliefs);
  return problem === undefined ? proposer : { ok: false, reason: problem };
}

/** An order that is not fresh was made for another day: a captured one must not be put to people again. `at` is ISO 8601. */
export function isFresh(at: string, now: number): boolean {
  return Math.abs(Date.parse(at) - now) <= clockToleranceMs;
}

/** Whether a person may be given evidence now: of a group that decides on incidents, and by an order of today. */
export function checkReading(signed: SignedReadEvidence, beliefs: Beliefs): Checked<{ readonly person: Person }> {
  const { order } = signed;
  if (order.cluster !== beliefs.cluster) return { ok: false, reason: 'It is about another cluster.' };
  const reader = signedBy(signed, beliefs);
  if (!reader.ok) return reader;
  if (!isInAnyGroup(beliefs.roster, order.person, beliefs.groups))
    return { ok: false, reason: `Only ${beliefs.groups.join(' or ')} may read evidence.` };
  return isFresh(order.at, beliefs.now) ? reader : { ok: false, reason: 'It was signed at another time: ask anew.' };
}

export function checkEnd(signed: SignedEnd, beliefs: Beliefs): Checked<{ readonly person: Person }> {
  if (signed.order.cluster !== beliefs.cluster) return { ok: false, reason: 'It is about another cluster.' };
  return signedBy(signed, beliefs, signed.order.via);
}

/** By what the votes on a decision are judged, which is in force for longer than any shift: one that was not seen to arrive came when it says. */
export function votesBelieved({ roster, keys, now, stepUp, seen }: Beliefs, { question }: ApprovalProof) {
  return {
    roster,
    keys,
    now,
    seen: seen?.(question) ?? [],
    cameAt: ({ vote }: SignedVote) => timeOf(vote),
    ...(stepUp && { stepUp }),
  };
}

/**
 * Everything that a suppression must be before the cell believes it: proposed by a person of the roster, asked of groups that the
 * configuration names, approved by enough other people for exactly these terms. What the workflow says about it counts for nothing.
 */
export function checkSuppression(decided: DecidedSuppression, beliefs: Beliefs): Checked<{ readonly active: ActiveSuppression }> {
  const { proposal, proof } = decided;
  const proposer = checkProposal(proposal, beliefs);
  if (!proposer.ok) return proposer;
  if (proof.choice !== approveChoice || !isQuestionOf(decided))
    return { ok: false, reason: 'The votes are about something else.' };
  const stranger = proof.question.levels.find(({ group }) => !beliefs.groups.includes(group));
  if (stranger) return { ok: false, reason: `The group ${stranger.group} may not decide on suppressions.` };
  const { terms, person } = proposal.order;
  const approved = checkProof({ proof, severity: terms.upTo, ...votesBelieved(beliefs, proof) });
  if (!approved.ok) return approved;
  const approvers = [...new Set(proof.votes.map(({ vote }) => vote.person))];
  const deciders = [person, ...approvers];
  const accounts = beliefs.roster.people.flatMap((one) => (deciders.includes(one.id) ? (one.accounts ?? []) : []));
  return { ok: true, active: { terms, proposer: person, approvers, accounts } };
}
