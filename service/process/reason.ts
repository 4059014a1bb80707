import { FirebreakError } from '../../core/errors.ts';
import { errorName } from '../../core/system-error.ts';

/** Returns what may be logged of an error: our own errors in full, of others only the name, because their messages may contain bodies and headers. */
export function reasonOf(error: unknown): string {
  if (error instanceof FirebreakError) return `${error.code}: ${error.detail}`;
  return errorName(error);
}
