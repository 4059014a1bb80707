import { isObject } from '../text/plain-json.ts';
import type { SignedVote, Vote } from './approval.ts';
import { areAnswers } from './form.ts';

const longest = 16_000;
const voteTexts = [
  'id',
  'question',
  'questionDigest',
  'choice',
  'person',
  'via',
  'at',
] as const satisfies readonly (keyof Vote)[];

/** Whether each of these properties is a string. */
export function hasTexts(value: unknown, names: readonly string[]): boolean {
  return isObject(value) && names.every((name) => typeof value[name] === 'string');
}

/**
 * Whether a signal's payload has the shape of a vote. It does not say who sent it: anyone who can reach Temporal can send anything, and a malformed vote must
 * not block anyone else's.
 */
export function isVoteShaped(value: unknown): value is SignedVote {
  return (
    hasTexts(value, ['keyId', 'signature']) &&
    isObject(value) &&
    hasTexts(value.vote, voteTexts) &&
    isObject(value.vote) &&
    hasTexts(value.vote.incident, ['id', 'run']) &&
    (value.vote.reason === undefined || typeof value.vote.reason === 'string') &&
    (value.vote.answers === undefined || areAnswers(value.vote.answers)) &&
    (value.idToken === undefined || typeof value.idToken === 'string') &&
    JSON.stringify(value).length <= longest
  );
}
