import { FirebreakError } from '../../core/errors.ts';

/** Returns what may be logged of an error: our own errors in full, of others only the name, because their messages may contain bodies and headers. */
export function reasonOf(error: unknown): string {
  if (error instanceof FirebreakError) return `${error.code}: ${error.detail}`;
  return error instanceof Error ? error.name : typeof error;
}
