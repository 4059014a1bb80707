import { redactSecrets } from './redact.ts';

/** Why somebody decides something: so long in every way in, and in the cell again. */
const shortestReason = 3;
export const longestReason = 500;
export const reasonLengths = { min: shortestReason, max: longestReason } as const;

/** What is wrong with a reason that has to be given; undefined when nothing is. */
export function problemOfReason(reason: string): string | undefined {
  return reason.trim().length < shortestReason ? 'Say why, in a few words.' : tooLong(reason);
}

/** What is wrong with one that may be left out. */
export function tooLong(reason: string): string | undefined {
  return reason.length > longestReason
    ? `Say why in ${longestReason} characters at most; these are ${reason.length}.`
    : undefined;
}

/** Without the secrets that people paste with what they have seen. What stands in their place must not make it too long to be taken. */
export function reasonToSign(reason: string): string {
  const redacted = redactSecrets(reason);
  return redacted.length > reason.length ? redacted.slice(0, Math.max(longestReason, reason.length)) : redacted;
}
