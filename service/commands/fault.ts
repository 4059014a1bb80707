import { CommanderError } from 'commander';
import { FirebreakError } from '../../core/errors.ts';
import { printable } from './output.ts';

/** What a failed command says on standard error, and the exit code: 2 for wrong usage, 1 for everything else. */
export interface Fault {
  readonly lines: readonly string[];
  readonly exitCode: number;
}

function known(error: FirebreakError, json: boolean): readonly string[] {
  if (json) return [JSON.stringify({ error: { code: error.code, detail: error.detail, remedy: error.remedy } })];
  return [...error.message.split('\n').map(printable), `→ ${error.remedy}`];
}

/** Shows an error to a person. A stack only with FIREBREAK_DEBUG: without it nothing says where the machine keeps its files. */
export function faultOf(error: unknown, { json, debug }: { readonly json: boolean; readonly debug: boolean }): Fault {
  // Commander has written its message already.
  if (error instanceof CommanderError) return { lines: [], exitCode: error.exitCode === 0 ? 0 : 2 };
  const stack = debug && error instanceof Error ? [error.stack ?? ''] : [];
  if (error instanceof FirebreakError)
    return { lines: [...known(error, json), ...stack], exitCode: error.code === 'FB_ERR_INCOMPLETE' ? 2 : 1 };
  const unexpected = new FirebreakError('FB_ERR_INTERNAL', 'the command failed unexpectedly; FIREBREAK_DEBUG=1 shows where');
  return { lines: [...known(unexpected, json), ...stack], exitCode: 1 };
}
