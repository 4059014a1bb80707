import type { Severity } from '../alert/severity.ts';
import type { QuestionState } from '../incident/incident-state.ts';
import {
  type ApprovalProof,
  type Choice,
  lastsMs,
  type Question,
  questionDigest,
  quorumOf,
  type SignedVote,
  type Vote,
} from './approval.ts';
import { answersText, sayingOf } from './form.ts';

/** The effect of a verified vote on its question. `reply` is the answer to the clicker. */
interface VoteResult {
  readonly state: QuestionState;
  /** `repeated`: this same vote was counted before, and nothing has changed now. */
  readonly outcome: 'counted' | 'repeated' | 'refused';
  readonly reply: string;
}

/** Returns the initial state of a question, before any answer. `at` and `levelUntil`: milliseconds since 1970. */
export function openState(
  question: Question,
  {
    at,
    levelUntil = at + (question.levels[0]?.withinMs ?? 0),
    level = 0,
  }: { readonly at: number; readonly levelUntil?: number; readonly level?: number },
): QuestionState {
  return {
    question,
    digest: questionDigest(question),
    status: { state: 'open' },
    votes: [],
    level,
    levelUntil: new Date(levelUntil).toISOString(),
    askedAt: new Date(at).toISOString(),
    plans: question.choices.flatMap(({ plans }) => plans),
  };
}

/**
 * Returns when silence counts (ISO 8601): the levels that are left may end earlier than the question says, because somebody has called one of them early.
 * Undefined: never.
 */
export function silenceAt({
  question,
  level,
  levelUntil,
}: Pick<QuestionState, 'question' | 'level' | 'levelUntil'>): string | undefined {
  if (question.until === undefined || question.containsOnSilence !== undefined) return question.until;
  const leftMs = lastsMs(question.levels.slice(level + 1));
  const end = Date.parse(levelUntil) + leftMs;
  return end < Date.parse(question.until) ? new Date(end).toISOString() : question.until;
}

/** Includes a vote that its person has taken back since: if it is delivered again, it must not undo that. */
function wasCounted(state: QuestionState, { vote }: SignedVote): boolean {
  const known = [...state.votes, ...(state.withdrawn ?? [])];
  return known.some((other) => other.vote.id === vote.id && other.vote.person === vote.person);
}

/** Returns a counted vote in one line: `Ada Byron: remove: not ours`; with a filled-in form: `Ada Byron: extend (hours 4): not done yet`. */
export function saidBy(name: string, label: string, { reason, answers }: Pick<Vote, 'reason' | 'answers'>): string {
  const what = answers === undefined ? label : `${label} (${answersText(answers)})`;
  return reason === undefined ? `${name}: ${what}` : `${name}: ${what}: ${reason}`;
}

/** Returns the number of distinct people that a choice needs now: more than when it was asked if the incident has become worse since, or somebody said no. */
export function quorumNow(
  { question, veto }: Pick<QuestionState, 'question' | 'veto'>,
  { plans, harmless, quorum }: Choice,
  severity: Severity,
): number {
  const overrules = veto !== undefined && plans.length > 0;
  return Math.max(quorum, quorumOf({ plans, harmless, severity, incident: question.incident.id }), overrules ? 2 : 1);
}

/** Returns whether it is a no to something destructive: another choice of the question would end or change something irreversibly. */
function isVeto(question: Question, choice: Choice): boolean {
  return choice.plans.length === 0 && question.choices.some(({ plans }) => plans.some(({ effect }) => effect === 'destructive'));
}

/** Returns the distinct people who gave this answer, with the same form filled in: quorum counts people, not clicks. */
export function peopleFor(state: QuestionState, said: Pick<Vote, 'choice' | 'answers'>): readonly string[] {
  const wanted = sayingOf(said);
  return [...new Set(state.votes.filter(({ vote }) => sayingOf(vote) === wanted).map(({ vote }) => vote.person))];
}

/** Returns the proof of a decided question's choice. Undefined while it is not decided. */
export function proofOf(state: QuestionState): ApprovalProof | undefined {
  if (state.status.state !== 'decided') return undefined;
  const { choice } = state.status;
  const said = sayingOf(state.status);
  return {
    question: state.question,
    choice,
    votes: state.votes
      .filter(({ vote }) => sayingOf(vote) === said)
      .map(({ vote, keyId, signature, idToken }) => ({ vote, keyId, signature, ...(idToken !== undefined && { idToken }) })),
  };
}

function choiceOf(question: Question, id: string): Choice | undefined {
  return question.choices.find((choice) => choice.id === id);
}

/**
 * The only reducer of votes: pure and idempotent. The vote was verified before (signature, roster, group): here it is only counted. The first choice that
 * reaches its quorum decides; a choice that changes nothing needs one vote; later votes are told so. A no to something destructive asks the next level at once,
 * if there is one: two people of it can overrule the no, and silence lets it stand.
 */
export function countVote(
  state: QuestionState,
  signed: SignedVote,
  {
    now,
    severity,
    level = 0,
    actors = [],
  }: {
    readonly now: string;
    readonly severity: Severity;
    /** The last of the asked levels that the person may answer for: see `VoteCheck`. */
    readonly level?: number;
    /** Ids of people whom the alerts name as the actor so far. */
    readonly actors?: readonly string[];
  },
): VoteResult {
  const { vote } = signed;
  if (wasCounted(state, signed)) return { state, outcome: 'repeated', reply: 'Your answer is already counted.' };
  if (state.status.state === 'decided') {
    const label = choiceOf(state.question, state.status.choice)?.label ?? state.status.choice;
    return { state, outcome: 'refused', reply: `Already decided: “${label}”, by ${state.status.by.join(' and ')}.` };
  }
  if (state.status.state !== 'open') return { state, outcome: 'refused', reply: 'This question is no longer open.' };
  if (vote.questionDigest !== state.digest)
    return { state, outcome: 'refused', reply: 'This card is out of date: look at the newest one.' };
  const choice = choiceOf(state.question, vote.choice);
  if (!choice) return { state, outcome: 'refused', reply: 'This choice does not exist.' };
  // A person may change their mind while the question is open; their last vote counts.
  const earlier = state.votes.filter((known) => known.vote.person === vote.person);
  const { veto } = state;
  if (veto !== undefined && level <= veto.level)
    return {
      state,
      outcome: 'refused',
      reply: `${veto.by} has said no: only ${groupsAfter(state, veto.level)} can overrule it.`,
    };
  // A delayed vote must not undo what its person has said since.
  const said = [...earlier, ...(state.withdrawn ?? []).filter((known) => known.vote.person === vote.person)];
  if (said.some((known) => Date.parse(known.vote.at) > Date.parse(vote.at)))
    return { state, outcome: 'refused', reply: 'You have answered again since: your later answer counts.' };
  // People whom an alert names by now decide nothing, whenever they voted.
  const voided = state.votes.filter((known) => actors.includes(known.vote.person) && known.vote.person !== vote.person);
  const gone = [...earlier, ...voided];
  const votes = [...state.votes.filter((known) => !gone.includes(known)), signed];
  const counted: QuestionState = { ...state, votes, withdrawn: [...(state.withdrawn ?? []), ...gone] };
  const next = state.question.levels[state.level + 1];
  if (veto === undefined && next && isVeto(state.question, choice)) return vetoed(counted, signed, { now, next });
  const by = peopleFor(counted, vote);
  const quorum = quorumNow(state, choice, severity);
  const missing = quorum - by.length;
  if (missing > 0) {
    return {
      state: counted,
      outcome: 'counted',
      reply: `Counted: ${by.length} of ${quorum} people for “${choice.label}”${vote.answers === undefined ? '' : ` (${answersText(vote.answers)}; only identical answers count together)`}. ${missing === 1 ? 'One more person' : `${missing} more people`} must agree.`,
    };
  }
  return {
    state: { ...counted, status: { state: 'decided', choice: choice.id, by, at: now, ...answersIn(vote) } },
    outcome: 'counted',
    reply: `Decided: “${choice.label}”.`,
  };
}

/** Everybody starts again: earlier votes were cast without knowing of the no. */
function vetoed(
  state: QuestionState,
  signed: SignedVote,
  { now, next }: { readonly now: string; readonly next: Question['levels'][number] },
): VoteResult {
  const { choice, person } = signed.vote;
  const others = state.votes.filter((known) => known !== signed);
  return {
    state: {
      ...state,
      votes: [signed],
      withdrawn: [...(state.withdrawn ?? []), ...others],
      veto: { choice, by: person, level: state.level, at: now },
      level: state.level + 1,
      levelUntil: new Date(Date.parse(now) + next.withinMs).toISOString(),
    },
    outcome: 'counted',
    reply: `Counted as a no. ${next.group} is asked now: two of its members can overrule you, otherwise your no stands.`,
  };
}

function groupsAfter({ question, level }: QuestionState, veto: number): string {
  return question.levels
    .slice(veto + 1, level + 1)
    .map(({ group }) => group)
    .join(' or ');
}

/** Returns the outcome of silence on an open question: a no stands, and without one nobody has decided. */
export function silenceOn(
  { veto, votes }: QuestionState,
  { now, actors = [] }: { readonly now: string; readonly actors?: readonly string[] },
): QuestionState['status'] {
  const standing = votes.find(
    ({ vote }) => vote.person === veto?.by && vote.choice === veto.choice && !actors.includes(vote.person),
  );
  if (!veto || !standing) return { state: 'expired', at: now };
  return { state: 'decided', choice: veto.choice, by: [veto.by], at: now, ...answersIn(standing.vote) };
}

function answersIn({ answers }: Vote): Pick<Vote, 'answers'> {
  return answers === undefined ? {} : { answers };
}
