import { ApplicationFailure } from '@temporalio/common';
import { FirebreakError } from '../core/errors.ts';
import { errorName } from '../core/system-error.ts';

/**
 * Converts what an activity throws for Temporal: the catalogue's code as type, and a text that is safe to keep. The message of a foreign error may contain
 * bodies, headers and secrets: only its name is passed on.
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
  return ApplicationFailure.create({
    type: 'FB_ERR_INTERNAL',
    message: `an unexpected ${errorName(error)}`,
    nonRetryable: false,
  });
}
