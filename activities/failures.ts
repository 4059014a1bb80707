import { ApplicationFailure } from '@temporalio/common';
import { FirebreakError } from '../core/errors.ts';

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
  const name = error instanceof Error ? error.name : typeof error;
  return ApplicationFailure.create({ type: 'FB_ERR_INTERNAL', message: `an unexpected ${name}`, nonRetryable: false });
}
