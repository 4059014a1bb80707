import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { labelOf } from '../../core/cards/choice-label.ts';
import { type Choice, questionDigest, type SignedVote, type Vote, voteBytes } from '../../core/decide/approval.ts';
import type { FormAnswers } from '../../core/decide/form.ts';
import { peopleFor } from '../../core/decide/question.ts';
import { stepUpNonce } from '../../core/decide/step-up.ts';
import { FirebreakError } from '../../core/errors.ts';
import { incidentNames } from '../../core/incident/incident.ts';
import type { IncidentState, QuestionState } from '../../core/incident/incident-state.ts';
import { type Names, namesWithIds } from './names.ts';
import { newEntries } from './new-entries.ts';
import { personalSigner } from './orders.ts';
import { answerOf, incidentState, type Session, signalIncident } from './session.ts';

/** The part of an incident, or of the control workflow, that a vote needs. */
type Votable = Pick<IncidentState, 'incident' | 'questions' | 'timeline'>;

export interface Ballot {
  readonly state: Votable;
  readonly question: QuestionState;
  readonly choice: Choice;
  /** The person's id in the roster. */
  readonly person: string;
  /** PEM file of the person's own Ed25519 private key. */
  readonly keyFile: string;
  readonly reason?: string;
  /** What was filled in, if the choice has a form. */
  readonly answers?: FormAnswers;
  /** File with the identity provider's token, if the choice needs a sign-in. */
  readonly idTokenFile?: string;
}

interface CastVote {
  readonly vote: Vote;
  /** The outcome: `Counted: 1 of 2 people …`, or `Decided: …`. */
  readonly outcome: string;
}

/** Reads the token from a file. @throws FB_ERR_FILE_MISSING. */
export function idTokenIn(file: string): string {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch {
    throw new FirebreakError('FB_ERR_FILE_MISSING', `the token cannot be read: ${file}`);
  }
}

export function signInAdvice(nonce: string): string {
  return `sign in again at your identity provider for an ID token with the nonce ${nonce}, and pass --id-token FILE`;
}

/**
 * Returns the identity provider's token, whose nonce must match. The nonce is computed here from what was shown, as the cell will compute it.
 * @throws FB_ERR_INCOMPLETE, which gives the nonce, if a sign-in is needed and no token was given; FB_ERR_FILE_MISSING.
 */
export function idTokenOf({ question, choice, person, answers, idTokenFile }: Ballot): { readonly idToken?: string } {
  if (idTokenFile !== undefined) return { idToken: idTokenIn(idTokenFile) };
  if (!choice.stepUp) return {};
  const nonce = stepUpNonce({
    questionDigest: questionDigest(question.question),
    choice: choice.id,
    person,
    ...(answers && { answers }),
  });
  throw new FirebreakError(
    'FB_ERR_INCOMPLETE',
    `“${labelOf(choice)}” needs a sign-in: answer it in Slack, or ${signInAdvice(nonce)}`,
  );
}

async function signedVote(ballot: Ballot): Promise<SignedVote> {
  const { state, question, choice, person, keyFile, reason, answers } = ballot;
  const { incident } = question.question;
  if (incident.id !== state.incident.id)
    throw new FirebreakError(
      'FB_ERR_REFUSED',
      `not sent: the question is about ${incident.id}, and you named ${state.incident.id}`,
    );
  const idToken = idTokenOf(ballot);
  const signer = await personalSigner(keyFile);
  const vote: Vote = {
    version: 1,
    id: `cli-${randomUUID()}`,
    incident: { id: incident.id, run: incident.run },
    question: question.question.id,
    // Computed from the question that was shown here, not taken from the state.
    questionDigest: questionDigest(question.question),
    choice: choice.id,
    person,
    via: 'cli',
    at: new Date().toISOString(),
    ...(reason !== undefined && { reason }),
    ...(answers && { answers }),
  };
  return { vote, keyId: signer.keyId, signature: await signer.sign(voteBytes(vote)), ...idToken };
}

/** The error for a question that can no longer be answered: who decided it and when, or why it is not open. */
export function notOpen({ question, status }: QuestionState, { person }: Pick<Names, 'person'>): FirebreakError {
  const at = (iso: string): string => `${iso.replace('T', ' ').slice(0, 19)} UTC`;
  if (status.state === 'decided') {
    const chosen = question.choices.find(({ id }) => id === status.choice);
    const label = chosen ? labelOf(chosen) : status.choice;
    return new FirebreakError(
      'FB_ERR_ALREADY_DECIDED',
      `“${label}”, by ${status.by.map(person).join(' and ')} at ${at(status.at)}`,
    );
  }
  if (status.state === 'void')
    return new FirebreakError('FB_ERR_NOT_OPEN', `the question has been void since ${at(status.at)}: ${status.why}`);
  return new FirebreakError(
    'FB_ERR_NOT_OPEN',
    status.state === 'expired' ? `nobody answered, and the time ran out at ${at(status.at)}` : 'the question is not open',
  );
}

type Reception = { readonly accepted: true } | { readonly accepted: false; readonly reason: string } | undefined;

/** What the workflow says about our vote: looked up by its id while the question is open, or in the timeline if it has been asked again since. */
export function receptionOf(before: Votable, now: Votable, { vote, signature }: SignedVote): Reception {
  const known = now.questions.some(({ votes, withdrawn = [] }) =>
    [...votes, ...withdrawn].some((one) => one.vote.id === vote.id),
  );
  if (known) return { accepted: true };
  const ours = newEntries(before, now).find(
    ({ kind, of }) => of === signature && (kind === 'vote.accepted' || kind === 'vote.refused'),
  );
  if (!ours) return undefined;
  return ours.kind === 'vote.accepted' ? { accepted: true } : { accepted: false, reason: ours.text };
}

function outcomeOf(now: Votable, { question, choice, answers }: Ballot): string {
  const current = now.questions.find((one) => one.question.id === question.question.id);
  if (current?.digest !== question.digest || current.status.state !== 'open') return `Decided: “${labelOf(choice)}”.`;
  const people = peopleFor(current, { choice: choice.id, ...(answers && { answers }) });
  return `Counted: ${people.length} of ${choice.quorum} people for “${labelOf(choice)}”.`;
}

/**
 * Signs a vote, sends it and waits for the workflow's result. The workflow's cell checks person, key and group, and puts refusals on record.
 * @throws FB_ERR_VOTE_REFUSED with the reason; FB_ERR_ALREADY_DECIDED; FB_ERR_UNAVAILABLE if it was sent but nobody has answered yet.
 */
export async function castVote(session: Session, ballot: Ballot): Promise<CastVote> {
  const signed = await signedVote(ballot);
  const { id, run } = ballot.state.incident;
  await signalIncident(session, { id }, incidentNames.voteSignal, signed);
  const counted = await answerOf(
    () => incidentState(session, { id }),
    (now) => {
      if (now.incident.run !== run) return 'another run';
      const reception = receptionOf(ballot.state, now, signed);
      if (reception?.accepted === false) throw refusalOf(session, ballot, now, reception.reason);
      return reception && { vote: signed.vote, outcome: outcomeOf(now, ballot) };
    },
  );
  if (counted !== undefined && counted !== 'another run') return counted;
  throw new FirebreakError(
    'FB_ERR_UNAVAILABLE',
    `the vote ${signed.vote.id} was sent but is not confirmed yet: check it with firebreak incidents show`,
  );
}

/** If somebody else was faster, reports that instead. */
function refusalOf({ config }: Session, { question }: Ballot, now: Votable, reason: string): FirebreakError {
  const current = now.questions.find((one) => one.question.id === question.question.id && one.digest === question.digest);
  if (current?.status.state === 'decided') return notOpen(current, namesWithIds(config.roster));
  return new FirebreakError('FB_ERR_VOTE_REFUSED', reason);
}
