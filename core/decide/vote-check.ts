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

/** What the identity provider says of votes, its signatures checked: reading tokens waits for its keys, and what is decided by them does not. */
export interface StepUp {
  readonly policy: StepUpPolicy;
  signInOf(signed: SignedVote): SignIn | undefined;
}

/** What every check of a vote knows. */
interface Known {
  readonly roster: Roster;
  readonly keys: VoteKeys;
  /** Milliseconds since 1970, by the clock of the one who checks. */
  readonly now: number;
  /** Ids of people whom the incident's alerts have named as the actor since the question was asked. */
  readonly actors?: readonly string[];
  /** Ids of people who are known to have ordered what it is about, besides those whom the question names. */
  readonly requesters?: readonly string[];
  /** Groups that may be asked, by what the one who checks knows of its own. Absent: those that the question names. */
  readonly groups?: readonly string[];
  /** Absent: no step needs a sign-in. */
  readonly stepUp?: StepUp;
}

/** Two machines' clocks may differ by this much. */
export const clockToleranceMs = 5 * 60_000;
/** A vote may be this long on its way without its shift being looked at again: whoever answered in the last minute of it has answered. */
const travelMs = 15 * 60_000;

const utcTime = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,9})?Z$/;

/** When a vote was cast; undefined for what is no time in UTC. */
export function timeOf({ at }: Vote): number | undefined {
  const time = utcTime.test(at) ? Date.parse(at) : Number.NaN;
  return Number.isNaN(time) ? undefined : time;
}

/** Ids of the keys that sign for a person: by way of Slack or the desk’s page only a desk’s, from the command line only their own. */
export function keysThatSignFor(keys: VoteKeys, person: Person, via: Vote['via']): readonly string[] {
  return via === 'slack' || via === 'page' ? keys.deskKeyIds : keys.keyIdsOf(person);
}

/** Signed by who may sign for that person. */
function unsignedReason(signed: SignedVote, { roster, keys }: Known): string | undefined {
  const { vote } = signed;
  if (vote.version !== 1 || !waysIn.includes(vote.via)) return 'This kind of vote is not known.';
  const person = personById(roster, vote.person);
  if (!person) return 'You are not on the roster.';
  if (!keysThatSignFor(keys, person, vote.via).includes(signed.keyId))
    return 'This vote is signed by a key that may not sign it.';
  if (!keys.verify(signed.keyId, voteBytes(vote), signed.signature)) return 'The signature of this vote is not valid.';
  return undefined;
}

/** Not of the future, and about exactly this question: who the person is does not matter yet. */
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
  // Whoever answers is asked for it, in every way in: a vote without one did not come by any.
  if (needsReason(choice) && reason.trim() === '') return 'This answer needs a reason.';
  const unreasoned = needsReason(choice) ? problemOfReason(reason) : tooLong(reason);
  if (unreasoned !== undefined) return unreasoned;
  const [misfilled] = Object.entries(problemsOfAnswers(choice.form ?? {}, vote.answers, roster));
  if (misfilled) return `This answer is not filled in as it was asked: ${misfilled[0]}: ${misfilled[1]}`;
  const at = timeOf(vote);
  if (at === undefined || at > now + clockToleranceMs) return 'This vote is dated in the future, or not at all.';
  const { until } = question;
  // Neither a late one, nor one that says that it is not.
  if (until !== undefined && !(at <= Date.parse(until) + clockToleranceMs && arrived <= Date.parse(until) + travelMs))
    return 'The time to answer this question is over.';
  if (vote.via === 'page' && !stepUp)
    return 'An answer on the desk’s page needs a sign-in, and this cell knows no identity provider.';
  if (!stepUp) return undefined;
  if (vote.via !== 'page' && !needsStepUp({ plans: choice.plans, severity: question.severity }, stepUp.policy)) return undefined;
  const person = personById(roster, vote.person);
  if (!person) return 'You are not on the roster.';
  return signInRefusal({ policy: stepUp.policy, vote, at, person, signIn: stepUp.signInOf(signed) });
}

/** A vote as it was when it arrived, and was found good by `checkVote`. */
export interface SeenVote {
  readonly signed: SignedVote;
  /** Milliseconds since 1970. */
  readonly at: number;
  /** The last of the asked levels that its person might answer for; and the last that was asked. */
  readonly level: number;
  readonly asked: number;
  /** Ids of people whom alerts had named as the actor by then: what they had said counted no more. */
  readonly actors: readonly string[];
}

/**
 * Everything that one vote must be: signed by who may sign it, about exactly this question, by a person who may answer for a group that is
 * asked, both when the vote was cast and when it arrived, and who neither asked nor is named as the actor. The check at the click, in the
 * incident's cell; before a step it is the same, of the moment in which the vote arrived.
 */
export function checkVote(
  check: Known & {
    readonly signed: SignedVote;
    readonly question: Question;
    readonly level: number;
    /** When it was seen first, in milliseconds since 1970. Absent: now. */
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
  // Back-dating a vote to a shift of one's own, or to a stand-in's time, gives no right that one has not when it arrives.
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
 * Whether a proof carries its choice: enough distinct people, each of whom might answer when they did, none of whom is named as the actor since or
 * has taken it back, against no decision and no veto that was seen. The quorum is worked out here again from the plans; what the workflow says
 * about it is not trusted.
 */
export function checkProof(
  check: Known & {
    readonly proof: ApprovalProof;
    readonly severity: Severity;
    /** Namespaces in which one person is never enough. */
    readonly protectedNamespaces?: readonly string[];
    /** Votes on this question that the one who checks has seen, in the order in which they came. */
    readonly seen?: readonly SeenVote[];
    /** When a vote came that is not among them, in milliseconds since 1970. Absent, or where it does not know: now. */
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
      return { ok: false, reason: 'the people have not filled in the same' };
    const known = seen.find((one) => one.signed.signature === signed.signature);
    // A shift that has ended since takes no vote back: the second of two people may answer after the hand-over.
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
  // Who agreed when it was decided already has agreed all the same.
  const counts = ({ signature }: SignedVote): boolean =>
    status.state === 'decided'
      ? !withdrawn.some((one) => one.signature === signature)
      : votes.some((one) => one.signature === signature);
  if (!proof.votes.every(counts))
    return { ok: false, reason: 'a vote was taken back since, or a no stands that it cannot overrule' };
  const needed = quorumOf({ ...choice, severity, incident: question.incident.id, protectedNamespaces });
  const quorum = veto !== undefined && choice.plans.length > 0 ? Math.max(needed, 2) : needed;
  if (people.size < quorum) return { ok: false, reason: `${people.size} of ${quorum} people have agreed` };
  return { ok: true };
}

/** What has become of a question by these votes: counted as the workflow counts them, in the order in which they came. */
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
      /** What the identity provider has said, where the choice needs it. */
      readonly signIn?: SignIn;
    }
  /** `signed`: it is theirs whose name it carries. Else that is a claim, which anybody can make. */
  | { readonly ok: false; readonly reason: string; readonly signed?: true };
