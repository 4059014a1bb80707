import { FirebreakError } from '../../core/errors.ts';

/** What may be logged of an error: ours in full, of others only the name: their messages hold bodies and headers. */
export function reasonOf(error: unknown): string {
  if (error instanceof FirebreakError) return `${error.code}: ${error.detail}`;
  return error instanceof Error ? error.name : typeof error;
}
