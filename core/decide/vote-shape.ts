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

/** Whether each of these names stands for a text. */
export function hasTexts(value: unknown, names: readonly string[]): boolean {
  return isObject(value) && names.every((name) => typeof value[name] === 'string');
}

/**
 * Whether what a signal brought has the shape of a vote. It says nothing of who sent it: whoever reaches Temporal can send anything, and
 * what is not even a vote must stop nobody else's.
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
