import { redactSecrets } from './redact.ts';

/** Limits for the reason of a decision: the same at every entry point, and checked again in the cell. */
const shortestReason = 3;
export const longestReason = 500;
export const reasonLengths = { min: shortestReason, max: longestReason } as const;

/** What is wrong with a required reason; undefined if nothing is. */
export function problemOfReason(reason: string): string | undefined {
  return reason.trim().length < shortestReason ? 'Give a reason in a few words.' : tooLong(reason);
}

/** What is wrong with an optional reason. */
export function tooLong(reason: string): string | undefined {
  return reason.length > longestReason
    ? `Give a reason of at most ${longestReason} characters; this one has ${reason.length}.`
    : undefined;
}

/** Removes secrets that people paste along with what they saw. The replacements must not make the reason too long to be accepted. */
export function reasonToSign(reason: string): string {
  const redacted = redactSecrets(reason);
  return redacted.length > reason.length ? redacted.slice(0, Math.max(longestReason, reason.length)) : redacted;
}
