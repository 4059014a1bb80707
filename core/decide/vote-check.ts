import { type Severity, worse } from '../alert/severity.ts';
import type { QuestionState } from '../incident/incident-state.ts';
import { type Person, personById, type Roster } from '../people/roster.ts';
import { problemOfReason, tooLong } from '../text/reason.ts';
import {
  type ApprovalProof,
  needsReason,
  type Question,
  questionDigest,
  quorumOf,
  type SignedVote,
  type Vote,
  voteBytes,
  waysIn,
} from './approval.ts';
import { problemsOfAnswers, sayingOf } from './form.ts';
import { countVote, openState } from './question.ts';
import { standingOf } from './standing.ts';
import { needsStepUp, type SignIn, type StepUpPolicy, signInRefusal } from './step-up.ts';

/** Who signs votes: the desk's keys for Slack, a person's own for the command line. */
export interface VoteKeys {
  /** Key ids of desks that this cell trusts. */
  readonly deskKeyIds: readonly string[];
  /** Key ids of a person's own keys, from the roster. */
  keyIdsOf(person: Person): readonly string[];
  verify(keyId: string, bytes: Uint8Array, signature: string): boolean;
}

/**
 * The identity provider's tokens for votes, with their signatures checked beforehand: reading tokens waits for the provider's keys, but decisions based on them
 * must not wait.
 */
export interface StepUp {
  readonly policy: StepUpPolicy;
  signInOf(signed: SignedVote): SignIn | undefined;
}

/** What every check of a vote needs. */
interface Known {
  readonly roster: Roster;
  readonly keys: VoteKeys;
  /** Milliseconds since 1970, by the clock of the checking process. */
  readonly now: number;
  /** Ids of people whom the incident's alerts have named as the actor since the question was asked. */
  readonly actors?: readonly string[];
  /** Ids of people known to have ordered what it is about, besides those whom the question names. */
  readonly requesters?: readonly string[];
  /** Groups that may be asked, as the checking process itself knows. Absent: those that the question names. */
  readonly groups?: readonly string[];
  /** Absent: no step needs a sign-in. */
  readonly stepUp?: StepUp;
}

/** Maximum difference between two machines' clocks. */
export const clockToleranceMs = 5 * 60_000;
/** A vote may arrive this much later without its shift being checked again: an answer in the last minute of a shift counts. */
const travelMs = 15 * 60_000;

const utcTime = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,9})?Z$/;

/** Returns when a vote was cast; undefined if it is not a time in UTC. */
export function timeOf({ at }: Vote): number | undefined {
  const time = utcTime.test(at) ? Date.parse(at) : Number.NaN;
  return Number.isNaN(time) ? undefined : time;
}

/** Returns the ids of the keys that sign for a person: only a desk’s for Slack or the desk’s page, only their own for the command line. */
export function keysThatSignFor(keys: VoteKeys, person: Person, via: Vote['via']): readonly string[] {
  return via === 'slack' || via === 'page' ? keys.deskKeyIds : keys.keyIdsOf(person);
}

/** Returns why it is not signed by a key that may sign for that person. */
function unsignedReason(signed: SignedVote, { roster, keys }: Known): string | undefined {
  const { vote } = signed;
  if (vote.version !== 1 || !waysIn.includes(vote.via)) return 'This kind of vote is unknown.';
  const person = personById(roster, vote.person);
  if (!person) return 'You are not on the roster.';
  if (!keysThatSignFor(keys, person, vote.via).includes(signed.keyId))
    return 'This vote is signed by a key that may not sign it.';
  if (!keys.verify(signed.keyId, voteBytes(vote), signed.signature)) return 'The signature of this vote is not valid.';
  return undefined;
}

/** Checks that it is not from the future, and is about exactly this question; who the person is does not matter yet. */
function refusalOf(
  signed: SignedVote,
  question: Question,
  { roster, now, stepUp, arrived }: Known & { readonly arrived: number },
): string | undefined {
  const { vote } = signed;
  if (vote.question !== question.id || vote.incident.id !== question.incident.id || vote.incident.run !== question.incident.run)
    return 'This vote is about another question.';
  if (vote.questionDigest !== questionDigest(question)) return 'This card is out of date: look at the newest one.';
  const choice = question.choices.find((offered) => offered.id === vote.choice);
  if (!choice) return 'This choice does not exist.';
  const { reason = '' } = vote;
  // Every way in asks for a reason: a vote without one came through none of them.
  if (needsReason(choice) && reason.trim() === '') return 'This answer needs a reason.';
  const unreasoned = needsReason(choice) ? problemOfReason(reason) : tooLong(reason);
  if (unreasoned !== undefined) return unreasoned;
  const [misfilled] = Object.entries(problemsOfAnswers(choice.form ?? {}, vote.answers, roster));
  if (misfilled) return `This answer is not filled in as requested: ${misfilled[0]}: ${misfilled[1]}`;
  const at = timeOf(vote);
  if (at === undefined || at > now + clockToleranceMs) return 'This vote is dated in the future, or has no date.';
  const { until } = question;
  // Rejects late votes, including those that claim an earlier time.
  if (until !== undefined && !(at <= Date.parse(until) + clockToleranceMs && arrived <= Date.parse(until) + travelMs))
    return 'The time to answer this question is over.';
  if (vote.via === 'page' && !stepUp)
    return 'An answer on the desk’s page needs a sign-in, and this cell has no identity provider.';
  if (!stepUp) return undefined;
  if (vote.via !== 'page' && !needsStepUp({ plans: choice.plans, severity: question.severity }, stepUp.policy)) return undefined;
  const person = personById(roster, vote.person);
  if (!person) return 'You are not on the roster.';
  return signInRefusal({ policy: stepUp.policy, vote, at, person, signIn: stepUp.signInOf(signed) });
}

/** A vote as it was when it arrived, and was accepted by `checkVote`. */
export interface SeenVote {
  readonly signed: SignedVote;
  /** Milliseconds since 1970. */
  readonly at: number;
  /** The last of the asked levels that its person might answer for; and the last that was asked. */
  readonly level: number;
  readonly asked: number;
  /** Ids of people whom alerts had named as the actor by then: their earlier votes no longer counted. */
  readonly actors: readonly string[];
}

/**
 * Checks everything that one vote must be: signed by a key that may sign it, about exactly this question, by a person who may answer for a group that is asked,
 * both when the vote was cast and when it arrived, and who neither asked nor is named as the actor. The same check runs at the click, in the incident's cell,
 * and before a step, then for the moment in which the vote arrived.
 */
export function checkVote(
  check: Known & {
    readonly signed: SignedVote;
    readonly question: Question;
    readonly level: number;
    /** When it was first seen, in milliseconds since 1970. Absent: now. */
    readonly arrived?: number | undefined;
  },
): VoteCheck {
  const { signed, question, roster, now } = check;
  const unsigned = unsignedReason(signed, check);
  if (unsigned !== undefined) return { ok: false, reason: unsigned };
  const arrived = check.arrived ?? now;
  const refusal = refusalOf(signed, question, { ...check, arrived });
  if (refusal !== undefined) return { ok: false, reason: refusal, signed: true };
  const cast = timeOf(signed.vote) ?? arrived;
  // Back-dating a vote to one's own shift, or to a stand-in's time, gives no right that the person does not have when it arrives.
  const times = arrived - cast <= travelMs ? [cast] : [cast, arrived];
  const { person: id } = signed.vote;
  const { actors = [], requesters = [], groups } = check;
  const levels = question.levels.slice(0, check.level + 1);
  const stands = standingOf({ question, roster, actors, requesters, ...(groups && { groups }) }, id, times, levels);
  if (!stands.ok) return { ...stands, signed: true };
  const signIn = check.stepUp?.signInOf(signed);
  const { level, alone } = stands;
  const name = personById(roster, id)?.name ?? id;
  return { ok: true, person: id, name, level, ...(alone && { alone }), ...(signIn && { signIn }) };
}

/**
 * Returns whether a proof supports its choice: enough distinct people, each of whom might answer when they did, none of whom has been named as the actor since
 * or has taken the vote back, against no decision and no veto that was seen. The quorum is computed again here from the plans; what the workflow says about it
 * is not trusted.
 */
export function checkProof(
  check: Known & {
    readonly proof: ApprovalProof;
    readonly severity: Severity;
    /** Namespaces in which one person is never enough. */
    readonly protectedNamespaces?: readonly string[];
    /** Votes on this question that the checking process has seen, in the order of arrival. */
    readonly seen?: readonly SeenVote[];
    /** When a vote that is not among them arrived, in milliseconds since 1970. Absent, or if it returns undefined: now. */
    readonly cameAt?: (signed: SignedVote) => number | undefined;
  },
): { readonly ok: true } | { readonly ok: false; readonly reason: string } {
  const { proof, now, protectedNamespaces, seen = [], cameAt, actors = [] } = check;
  const { question } = proof;
  const choice = question.choices.find((offered) => offered.id === proof.choice);
  if (!choice) return { ok: false, reason: 'the choice does not exist' };
  const people = new Set<string>();
  const seenVotes: SeenVote[] = [...seen];
  const last = question.levels.length - 1;
  const [first] = proof.votes;
  for (const signed of proof.votes) {
    if (signed.vote.choice !== proof.choice) return { ok: false, reason: 'a vote is for another choice' };
    if (first && sayingOf(first.vote) !== sayingOf(signed.vote))
      return { ok: false, reason: 'the people did not fill in the same answers' };
    const known = seen.find((one) => one.signed.signature === signed.signature);
    // A shift that has ended since does not invalidate a vote: the second of two people may answer after the hand-over.
    const arrived = known?.at ?? cameAt?.(signed) ?? now;
    const result = checkVote({ ...check, signed, question, level: last, arrived });
    if (!result.ok) return { ok: false, reason: result.reason };
    people.add(result.person);
    if (!known) seenVotes.push({ signed, at: arrived, level: result.level, asked: last, actors });
  }
  const severity = worse(question.severity, check.severity);
  const { status, votes, withdrawn = [], veto } = tallyOf(question, seenVotes, severity);
  if (status.state === 'decided' && sayingOf(status) !== (first ? sayingOf(first.vote) : proof.choice))
    return { ok: false, reason: `people have decided otherwise: ${status.choice}` };
  // A vote for it that came after the decision still counts, unless it was taken back.
  const counts = ({ signature }: SignedVote): boolean =>
    status.state === 'decided'
      ? !withdrawn.some((one) => one.signature === signature)
      : votes.some((one) => one.signature === signature);
  if (!proof.votes.every(counts)) return { ok: false, reason: 'a vote was withdrawn, or a no stands that it cannot overrule' };
  const needed = quorumOf({ ...choice, severity, incident: question.incident.id, protectedNamespaces });
  const quorum = veto !== undefined && choice.plans.length > 0 ? Math.max(needed, 2) : needed;
  if (people.size < quorum) return { ok: false, reason: `${people.size} of ${quorum} people have agreed` };
  return { ok: true };
}

/** Returns the state of a question after these votes: counted as the workflow counts them, in the order of arrival. */
export function tallyOf(question: Question, arrived: readonly SeenVote[], severity: Severity): QuestionState {
  let state = openState(question, { at: 0 });
  for (const { signed, at, level, asked, actors } of arrived) {
    const then = { ...state, level: Math.max(state.level, asked) };
    ({ state } = countVote(then, signed, { now: new Date(at).toISOString(), severity, level, actors }));
  }
  return state;
}

export type VoteCheck =
  /** `level`: the last of the asked levels that this person may answer for. */
  | {
      readonly ok: true;
      readonly person: string;
      readonly name: string;
      readonly level: number;
      /** They ordered it, and nobody else can be asked. */
      readonly alone?: true;
      /** What the identity provider has said, if the choice needs it. */
      readonly signIn?: SignIn;
    }
  /** `signed`: it is signed for the person whose name it carries. Otherwise the name is a claim, which anybody can make. */
  | { readonly ok: false; readonly reason: string; readonly signed?: true };
