import { type Severity, worse } from '../alert/severity.ts';
import { type Choice, isWeakening, type Question, questionDigest, type SignedVote, voteBytes } from '../decide/approval.ts';
import { isQuestionOf, kindOf, type SignedProposal } from '../decide/decision.ts';
import { type Form, type FormField, namable, type ShownField } from '../decide/form.ts';
import { quorumNow, silenceAt } from '../decide/question.ts';
import { keysThatSignFor, type VoteKeys } from '../decide/vote-check.ts';
import { FirebreakError } from '../errors.ts';
import { subjectOfIncident, subjectTitle } from '../incident/incident.ts';
import type { QuestionState } from '../incident/incident-state.ts';
import { signedBy } from '../orders/order-check.ts';
import { personById, type Roster } from '../people/roster.ts';
import type { QuestionCard } from './card.ts';
import { labelOf } from './choice-label.ts';

/** What a card shows around a question of an incident, according to the cell. It is only shown, and decides nothing. */
interface IncidentFacts
  extends Pick<QuestionCard, 'happened' | 'left' | 'contained' | 'ended' | 'posture' | 'ticketNews' | 'evidence'> {
  readonly kind: 'incident';
}

/** The signed proposal behind a question above all incidents. */
interface ProposalFacts {
  readonly kind: 'proposal';
  readonly proposal: SignedProposal;
}

/** The state of a question. Votes are shown if their signatures hold; the rest decides nothing. */
export interface QuestionStand extends Pick<QuestionCard, 'status'> {
  /** The current severity of the incident: it may have become worse since. */
  readonly severity: Severity;
  /** Index into the question's levels. */
  readonly level: number;
  readonly until: string;
  readonly votes: readonly SignedVote[];
  readonly veto?: QuestionState['veto'];
  readonly people?: QuestionCard['level']['people'];
  readonly requesters?: QuestionCard['level']['requesters'];
  /** Ids of people whom the alerts name as the actor by now. Absent: none. */
  readonly actors?: readonly string[];
}

/** What the desk receives about a question: the question itself, from which it makes the card and the digest that it signs. */
export interface QuestionPost {
  readonly question: Question;
  readonly about: IncidentFacts | ProposalFacts;
  readonly stand: QuestionStand;
}

/** Whose signatures the desk can check. */
export interface CardBeliefs {
  readonly roster: Roster;
  readonly keys: VoteKeys;
}

/** The last destructive step is the one that the others lead up to. */
function endedBy({ plans }: Pick<Choice, 'plans'>): { readonly target?: string } {
  const plan = plans.findLast(({ effect }) => effect === 'destructive');
  return plan ? { target: plan.target.name } : {};
}

/** Returns a choice as people see it. Everything comes from the choice, which a vote's digest covers. */
export function shownChoice(
  choice: Choice,
  quorum = choice.quorum,
  roster?: Pick<Roster, 'people' | 'groups'>,
): QuestionCard['choices'][number] {
  const { id, plans, harmless, stepUp, form } = choice;
  return {
    id,
    label: labelOf(choice),
    actions: plans.map(({ action }) => action),
    quorum,
    destructive: plans.some(({ effect }) => effect === 'destructive'),
    weakens: isWeakening(choice),
    ...(stepUp && { stepUp }),
    ...(form && { form: shownForm(form, roster) }),
    ...endedBy(choice),
    changes: [
      ...(harmless ? ['The incident is marked as harmless.'] : []),
      ...plans.flatMap(({ changes }) => changes.map(({ target, what }) => `${target}: ${what}`)),
    ],
    blastRadius: [...new Set(plans.flatMap(({ blastRadius }) => blastRadius))],
    notes: [...new Set(plans.flatMap(({ notes }) => notes))],
  };
}

function shownForm(form: Form, roster: Pick<Roster, 'people' | 'groups'> | undefined): Readonly<Record<string, ShownField>> {
  const shown = (of: FormField): ShownField =>
    of.kind === 'people' && roster ? { ...of, people: namable(of, roster).map(({ id, name }) => ({ id, name })) } : of;
  return Object.fromEntries(Object.entries(form).map(([name, of]) => [name, shown(of)]));
}

/** Returns the groups that a question asks, sooner or later. */
export function groupsOf({ levels }: Pick<Question, 'levels'>): readonly string[] {
  return [...new Set(levels.map(({ group }) => group))];
}

/** Returns whose incident or decisions a question is about, derived from its own id. */
export function titleOfQuestion({ incident }: Pick<Question, 'incident'>): { readonly title: string; readonly cluster: string } {
  const subject = subjectOfIncident(incident.id);
  if (subject) return { title: subjectTitle(subject), cluster: subject.cluster };
  const [, cluster = ''] = incident.id.split('/');
  return { title: `decisions of ${cluster}`, cluster };
}

/** Returns the votes on exactly this question whose signatures hold: nobody is shown as saying what they have not signed. */
export function signedVotes(
  votes: readonly SignedVote[],
  question: Question,
  { roster, keys }: CardBeliefs,
): readonly SignedVote[] {
  const digest = questionDigest(question);
  return votes.filter(({ vote, keyId, signature }) => {
    const person = personById(roster, vote.person);
    return (
      person !== undefined &&
      vote.question === question.id &&
      vote.questionDigest === digest &&
      vote.incident.id === question.incident.id &&
      question.choices.some(({ id }) => id === vote.choice) &&
      keysThatSignFor(keys, person, vote.via).includes(keyId) &&
      keys.verify(keyId, voteBytes(vote), signature)
    );
  });
}

/** @throws FB_ERR_REFUSED for a decision above all incidents that nobody has proposed in these words. */
function aboutOf(
  { question, about }: QuestionPost,
  beliefs: CardBeliefs,
): Pick<QuestionCard, 'happened' | 'left' | 'contained' | 'ended' | 'posture' | 'ticketNews' | 'evidence'> {
  const isIncident = subjectOfIncident(question.incident.id) !== undefined;
  if (about.kind === 'incident') {
    if (!isIncident) throw new FirebreakError('FB_ERR_REFUSED', 'a decision above all incidents came without its proposal');
    const { happened, left, contained, ended, posture, ticketNews, evidence } = about;
    // Listed one by one, so that additional fields do not get onto the card.
    return {
      happened,
      ...(left && { left }),
      contained,
      ...(ended && { ended }),
      ...(posture && { posture }),
      ...(ticketNews !== undefined && { ticketNews }),
      evidence,
    };
  }
  const { proposal } = about;
  if (isIncident || !isQuestionOf(proposal, question) || !signedBy(proposal, beliefs).ok)
    throw new FirebreakError('FB_ERR_REFUSED', 'the question is not the one that was proposed and signed');
  const { happened } = kindOf(proposal.order);
  return { happened, contained: [], evidence: [] };
}

function levelOf({ question, stand }: QuestionPost): QuestionCard['level'] {
  const { level, until, people, requesters } = stand;
  // Above all incidents, everybody is asked at once.
  const isControl = subjectOfIncident(question.incident.id) === undefined;
  const next = question.levels[level + 1]?.group;
  return {
    group: isControl ? groupsOf(question).join(' or ') : (question.levels[level]?.group ?? 'nobody'),
    until,
    number: isControl ? 1 : level + 1,
    ...(next !== undefined && { next }),
    ...(question.levels[level]?.page && { pages: true as const }),
    ...(people && { people }),
    ...(requesters && requesters.length > 0 && { requesters }),
  };
}

/**
 * Builds the card of a question: what is asked, what each choice runs and needs, and what is signed on a click, from the question alone.
 * @throws FB_ERR_REFUSED for a decision above all incidents that nobody has proposed in these words.
 */
export function questionCard(post: QuestionPost, beliefs: CardBeliefs): QuestionCard {
  const { question, stand } = post;
  const { status, veto } = stand;
  const digest = questionDigest(question);
  const deadline = silenceAt({ question, level: stand.level, levelUntil: stand.until });
  const severity = worse(question.severity, stand.severity);
  const votes = signedVotes(stand.votes, question, beliefs).map(({ vote }) => vote);
  const saidSo = (person: string, choice: string): boolean =>
    votes.some((vote) => vote.person === person && vote.choice === choice);
  return {
    incident: { ...question.incident, ...titleOfQuestion(question), severity },
    questionId: question.id,
    questionDigest: digest,
    text: question.text,
    onSilence: question.onSilence,
    ...(deadline !== undefined && { deadline }),
    ...aboutOf(post, beliefs),
    choices: question.choices.map((choice) =>
      shownChoice(choice, quorumNow({ question, ...(veto && { veto }) }, choice, severity), beliefs.roster),
    ),
    votes: votes.map(({ person, choice, at, reason, answers }) => ({
      person,
      choice,
      at,
      ...(reason !== undefined && { reason }),
      ...(answers && { answers }),
    })),
    level: levelOf(post),
    ...(stand.actors && { actors: stand.actors }),
    status: status.state === 'decided' ? { ...status, by: status.by.filter((person) => saidSo(person, status.choice)) } : status,
  };
}
