import { cutsChain } from '../audit/record-cut.ts';
import type { ApprovalProof, Question, SignedVote } from '../decide/approval.ts';
import type { OpenProposal } from '../decide/control.ts';
import {
  type AnyOrder,
  isQuestionOf,
  kindOf,
  markedIn,
  type Propose,
  type ProvenDecision,
  type SignedProposal,
} from '../decide/decision.ts';
import { endNeedsStepUp, type SignIn, type StepUpPolicy, signInRefusal } from '../decide/step-up.ts';
import { checkProof, keysThatSignFor, type SeenVote, type StepUp, timeOf, type VoteKeys } from '../decide/vote-check.ts';
import { subjectOfIncident } from '../incident/incident.ts';
import { isInAnyGroup, type Person, type Roster } from '../people/roster.ts';
import { type DeadlineOrder, isDeadlineOrder } from './deadline-order.ts';
import type { StartIncident } from './incident-order.ts';
import { approveChoice, type Order, orderBytes, proposedUntil, type SignedEnd, type SignedOrder } from './order.ts';
import { type HoldRecords, type RemoveContent, removalId } from './record-hold.ts';
import { endChoice, endDigest } from './restraint.ts';

/** What the cell trusts, and its clock. */
export interface Beliefs {
  readonly cluster: string;
  readonly roster: Roster;
  readonly keys: VoteKeys;
  /** Groups of the roster that may make decisions across incidents. */
  readonly groups: readonly string[];
  /** Groups that may destroy evidence and end a hold. Absent: nobody. */
  readonly stewards?: readonly string[];
  /** Milliseconds since 1970. */
  readonly now: number;
  /** Absent: no decision needs a sign-in. */
  readonly stepUp?: StepUp;
  /** What the identity provider confirmed about the person who ordered an end. Absent: nothing. */
  readonly signInOfEnd?: (end: SignedEnd) => SignIn | undefined;
  /** Votes that this cell saw arrive. Absent: none. */
  readonly seen?: (question: Question) => readonly SeenVote[];
}

export type Checked<T> = ({ readonly ok: true } & T) | { readonly ok: false; readonly reason: string };
type CheckedPerson = Checked<{ readonly person: Person }>;

const clockToleranceMs = 5 * 60_000;

/**
 * Whether an order is signed for the person whom it names: with a key that the roster lists for them, or, if it says that it came via Slack, with a desk's key.
 */
export function signedBy(
  { order, keyId, signature }: SignedOrder<Order>,
  { roster, keys }: Pick<Beliefs, 'roster' | 'keys'>,
): CheckedPerson {
  const person = roster.people.find(({ id }) => id === order.person);
  if (!person) return { ok: false, reason: `${order.person} is not on the roster.` };
  if (!keysThatSignFor(keys, person, order.via ?? 'cli').includes(keyId))
    return {
      ok: false,
      reason: `This is signed by a key that ${order.via === 'slack' ? 'belongs to no desk' : `is not ${person.id}’s`}.`,
    };
  if (!keys.verify(keyId, orderBytes(order), signature)) return { ok: false, reason: 'The signature is not valid.' };
  return { ok: true, person };
}

/** Whether an order is recent: a captured older one must not be put to people again. `at` is ISO 8601. */
export function isFresh(at: string, now: number): boolean {
  return Math.abs(Date.parse(at) - now) <= clockToleranceMs;
}

/** Requirements of one kind of order. */
interface Rule {
  /** Who may give it. Absent: everybody on the roster. */
  readonly groups?: (beliefs: Beliefs) => readonly string[];
  /** Shown to a person who may not give it. */
  readonly may?: string;
  /** Requires the person's own key: a desk signs for everybody, and anyone who has its key could make every playbook run. */
  readonly ownKey?: true;
  /** Shown if the order is not recent. Absent: its beginning, or what it ends, determines whether it still counts. */
  readonly stale?: string;
}

const stewards: Rule = {
  groups: (beliefs) => beliefs.stewards ?? [],
  may: 'do that',
  stale: 'The signature is not recent: order it again.',
};

const notifying: Rule = {
  groups: ({ groups }) => groups,
  may: 'decide what has to be notified',
  stale: 'The signature is not recent: order it again.',
};

/**
 * Who may give an order, and how long it counts. Orders that strengthen the response are open to everybody; holding evidence strengthens, and is open to those
 * who may read it; destroying it and ending a hold require the groups that the configuration names, by default nobody.
 */
const rules: Readonly<Record<AnyOrder['kind'], Rule>> = {
  'suppression.propose': {},
  'restraint.propose': {},
  'promotion.propose': { ownKey: true },
  'suppression.end': {},
  'restraint.end': {},
  'promotion.end': { ownKey: true },
  'incident.start': { stale: 'The signature is not recent: order it again.' },
  'incident.rerun': { stale: 'The signature is not recent: order it again.' },
  'evidence.read': {
    groups: ({ groups }) => groups,
    may: 'read evidence',
    stale: 'The signature is not recent: ask again.',
  },
  'incident.export': {
    groups: ({ groups }) => groups,
    may: 'export an incident',
    stale: 'The signature is not recent: export it again.',
  },
  'evidence.hold': { ...stewards, groups: (beliefs) => [...beliefs.groups, ...(beliefs.stewards ?? [])] },
  'evidence.unhold': stewards,
  'records.hold': { ...stewards, groups: (beliefs) => [...beliefs.groups, ...(beliefs.stewards ?? [])] },
  'records.unhold': stewards,
  'records.remove': stewards,
  'evidence.destroy': stewards,
  'deadline.start': notifying,
  'deadline.sent': notifying,
  'deadline.measure': notifying,
  'deadline.stop': notifying,
};

/** Whether an order may be followed: it is about this cluster, signed for a person who may give it, within its limits, and recent if it must be. */
export function checkOrder(signed: SignedOrder<AnyOrder>, beliefs: Beliefs): CheckedPerson {
  const { order } = signed;
  if (clusterOf(order) !== beliefs.cluster) return { ok: false, reason: 'It is about another cluster.' };
  const who = signedBy(signed, beliefs);
  if (!who.ok) return who;
  const { groups: groupsOf, may, stale, ownKey } = rules[order.kind];
  if (ownKey && 'via' in order && order.via !== undefined)
    return { ok: false, reason: 'This has to be ordered on the command line, with a personal key.' };
  const groups = groupsOf?.(beliefs);
  if (groups?.length === 0)
    return { ok: false, reason: 'Nobody may do that: the configuration names no group in evidence.stewards.' };
  if (groups && !isInAnyGroup(beliefs.roster, order.person, groups))
    return { ok: false, reason: `Only ${groups.join(' or ')} may ${may}.` };
  if (stale !== undefined && !isFresh(order.at, beliefs.now)) return { ok: false, reason: stale };
  const problem = problemOf(order, beliefs);
  return problem === undefined ? who : { ok: false, reason: problem };
}

function clusterOf(order: AnyOrder): string {
  return 'terms' in order ? order.terms.cluster : order.cluster;
}

/** What is wrong with the content of an order; undefined if nothing is. */
function problemOf(order: AnyOrder, beliefs: Beliefs): string | undefined {
  if (order.kind === 'incident.start') return problemOfStart(order);
  if (order.kind === 'records.hold') return problemOfHold(order);
  if (order.kind === 'incident.rerun')
    return subjectOfIncident(order.incident)?.cluster === order.cluster
      ? undefined
      : `${order.incident} is not an incident of this cluster.`;
  if (isDeadlineOrder(order)) return problemOfDeadline(order, beliefs);
  if (order.kind === 'records.remove') return problemOfRemoval(order);
  return isPropose(order) ? problemOfProposal(order, beliefs) : undefined;
}

function isPropose(order: AnyOrder): order is Propose {
  return order.kind.endsWith('.propose');
}

function problemOfHold({ scope, cluster }: HoldRecords): string | undefined {
  if (scope.kind === 'time') return scope.until > scope.from ? undefined : 'Its end has to be after its start.';
  return subjectOfIncident(scope.incident)?.cluster === cluster
    ? undefined
    : `${scope.incident} is not an incident of this cluster.`;
}

/** The start of a deadline must lie in the past: a future time would grant time that the law does not. */
function problemOfDeadline(order: DeadlineOrder, { cluster, now }: Beliefs): string | undefined {
  if (subjectOfIncident(order.incident)?.cluster !== cluster) return `${order.incident} is not an incident of this cluster.`;
  const at = momentOf(order);
  return at !== undefined && Date.parse(at) > now + clockToleranceMs ? `${at} is in the future.` : undefined;
}

function momentOf(order: DeadlineOrder): string | undefined {
  switch (order.kind) {
    case 'deadline.start':
      return order.awareAt;
    case 'deadline.sent':
      return order.sentAt;
    case 'deadline.measure':
      return order.availableAt;
    case 'deadline.stop':
      return undefined;
  }
}

function problemOfRemoval(order: RemoveContent): string | undefined {
  const { chain, records, removal, cluster } = order;
  if (records.some((number, index) => number <= (records[index - 1] ?? 0)))
    return 'Its record numbers have to be in ascending order.';
  if (removal !== removalId(order)) return 'Its id does not match its records.';
  return isRemovable(chain, cluster) ? undefined : `${chain} is neither an incident of this cluster nor written by a desk.`;
}

/** Records of orders and cuts prove what was done by them, and stay complete. */
function isRemovable(chain: string, cluster: string): boolean {
  return chain.startsWith(`incident/${cluster}/`) || (chain.startsWith('desk/') && chain !== cutsChain);
}

function problemOfStart({ terms: { wish, severity } }: StartIncident): string | undefined {
  return wish === 'quarantine' && severity !== 'critical'
    ? 'The severity of an ordered quarantine has to be critical.'
    : undefined;
}

function problemOfProposal(order: Propose, { roster, now }: Beliefs): string | undefined {
  const { problem, longest } = kindOf(order);
  if (problem !== undefined) return problem;
  const { owner, ...terms } = order.terms;
  const [from, until] = [Date.parse(terms.from), Date.parse(terms.until)];
  if (!roster.people.some(({ id }) => id === owner)) return `The owner ${owner} is not on the roster.`;
  if (Number.isNaN(from) || Number.isNaN(until) || until <= from) return 'Its end has to be after its start.';
  if (until - from > longest.ms) return `${longest.what} may last at most ${longest.ms / 86_400_000} days.`;
  if (from > now + clockToleranceMs) return 'It starts in the future.';
  return until <= now ? 'It has already ended.' : undefined;
}

/** Whether an order to end carries the sign-in that it needs. `ended`: the decision in force that would end. Withdrawing a proposal needs no sign-in. */
export function checkEndSignIn(
  { order }: SignedEnd,
  person: Person,
  known: { readonly ended: Propose | undefined; readonly policy: StepUpPolicy; readonly signIn: SignIn | undefined },
): CheckedPerson {
  const { ended, policy, signIn } = known;
  if (!ended || !endNeedsStepUp(kindOf(ended).plan, policy)) return { ok: true, person };
  const vote = { questionDigest: endDigest(order), choice: endChoice, person: person.id };
  const reason = signInRefusal({ policy, vote, at: Date.parse(order.at), person, signIn });
  return reason === undefined ? { ok: true, person } : { ok: false, reason };
}

/** A decision that passed the checks, and who made it. */
export interface Believed {
  readonly order: Propose;
  readonly approvers: readonly string[];
  /** Accounts of everybody who decided on it. */
  readonly accounts: readonly string[];
}

/**
 * All requirements of a decision before the cell acts on it: proposed by a person of the roster, put to groups that the configuration names, approved by enough
 * other people for exactly these terms. What the workflow says about it does not count: access to Temporal alone must neither hide an alert nor stop the
 * response.
 */
export function checkDecided({ proposal, proof }: ProvenDecision, beliefs: Beliefs): Checked<Believed> {
  const asked = checkAsked(proposal, proof.question, beliefs);
  if (!asked.ok) return asked;
  if (proof.choice !== approveChoice) return { ok: false, reason: aboutElse };
  const { order } = proposal;
  const approved = checkProof({ proof, severity: kindOf(order).severity, ...votesBelieved(beliefs, proof) });
  if (!approved.ok) return approved;
  const approvers = [...new Set(proof.votes.map(({ vote }) => vote.person))];
  const deciders = [order.person, ...approvers];
  const accounts = beliefs.roster.people.flatMap((one) => (deciders.includes(one.id) ? (one.accounts ?? []) : []));
  return { ok: true, order, approvers, accounts };
}

const aboutElse = 'The votes are about something else.';

/** Whether the question asks people correctly about a proposal by a person of the roster. */
function checkAsked(proposal: SignedProposal, question: Question, beliefs: Beliefs): CheckedPerson {
  const proposer = checkOrder(proposal, beliefs);
  if (!proposer.ok) return proposer;
  if (!isQuestionOf(proposal, question)) return { ok: false, reason: aboutElse };
  const stranger = question.levels.find(({ group }) => !beliefs.groups.includes(group));
  return stranger ? { ok: false, reason: `The group ${stranger.group} may not decide on it.` } : proposer;
}

/** Checks what a cell reports about a proposal that people may still be asked about. Its age is not checked, since it was fresh when a cell accepted it. */
export function checkProposed(
  { proposal, question }: { readonly proposal: SignedProposal; readonly question: Question },
  beliefs: Beliefs,
): Checked<{ readonly asked: Omit<OpenProposal, 'proposal'> }> {
  const asked = checkAsked(proposal, question, beliefs);
  if (!asked.ok) return asked;
  if (Date.parse(proposedUntil(proposal.order.terms)) <= beliefs.now) return { ok: false, reason: 'It has expired.' };
  const stepUp = markedIn(question);
  return { ok: true, asked: { name: asked.person.name, levels: question.levels, ...(stepUp && { stepUp }) } };
}

/**
 * How the votes on a decision are judged. It is in force for longer than any shift, so a vote that was not seen arriving counts as cast at the time it states.
 */
function votesBelieved({ roster, keys, now, stepUp, seen }: Beliefs, { question }: ApprovalProof) {
  return {
    roster,
    keys,
    now,
    seen: seen?.(question) ?? [],
    cameAt: ({ vote }: SignedVote) => timeOf(vote),
    ...(stepUp && { stepUp }),
  };
}
