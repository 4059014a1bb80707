import { ApplicationFailure } from '@temporalio/common';
import { FirebreakError } from '../core/errors.ts';

/**
 * What an activity throws, as Temporal carries it: the catalogue's code as type, and a text that is safe to keep. What is not ours may hold
 * bodies, headers and secrets in its message: only its name goes out.
 */
export function asFailure(error: unknown): ApplicationFailure {
  if (error instanceof ApplicationFailure) return error;
  if (error instanceof FirebreakError) {
    const retryAfterMs = 'retryAfterMs' in error && typeof error.retryAfterMs === 'number' ? error.retryAfterMs : undefined;
    return ApplicationFailure.create({
      type: error.code,
      message: error.detail,
      nonRetryable: !error.retryable,
      ...(retryAfterMs === undefined ? {} : { nextRetryDelay: retryAfterMs }),
    });
  }
  const name = error instanceof Error ? error.name : typeof error;
  return ApplicationFailure.create({ type: 'FB_ERR_INTERNAL', message: `an unexpected ${name}`, nonRetryable: false });
}
