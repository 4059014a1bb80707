import { once } from 'node:events';
import { createInterface } from 'node:readline/promises';
import type { Command } from 'commander';
import { typedCharacters, typedEnd } from '../../core/decide/approval.ts';
import { FirebreakError } from '../../core/errors.ts';
import { lastPart } from '../../core/text/object-name.ts';
import { problemOfReason, reasonToSign } from '../../core/text/reason.ts';
import { printable } from './output.ts';

export interface ConfirmOptions {
  readonly yes?: true;
  readonly target?: string;
}

/** A decision as shown to the person before they make it. */
interface Confirmation {
  readonly lines: readonly string[];
  /** Name of what the decision ends or gives up (`pod/shop/cart-1`). Absent: it ends nothing. */
  readonly ends?: string;
  /** A reason is required, and none was given. */
  readonly isUnreasoned?: boolean;
}

/** Adds `--yes` and `--target`, for every command that destroys something or weakens the response. */
export function withConfirmation(command: Command): Command {
  return command
    .option(
      '--target <end>',
      `last ${typedCharacters} characters of the target’s name; asked for on a terminal, needed elsewhere`,
    )
    .option('--yes', 'do not ask for confirmation; needed without a terminal');
}

function hasTerminal(): boolean {
  return process.stdin.isTTY === true;
}

/**
 * Without a terminal nobody can be asked, so this is checked before anything else is done. `ends`: the name whose end must be typed or, if it is not known yet,
 * a description of which name that is. @throws FB_ERR_INCOMPLETE.
 */
export function mustBeConfirmable({ yes, target }: ConfirmOptions, ends: string): void {
  if (hasTerminal() || (yes && target !== undefined)) return;
  const missing = [
    ...(yes ? [] : ['--yes']),
    ...(target === undefined ? [`--target with the ${endText(ends).replace(/^./, (first) => first.toLowerCase())}`] : []),
  ];
  throw new FirebreakError('FB_ERR_INCOMPLETE', `cannot ask for confirmation without a terminal: add ${missing.join(' and ')}`);
}

/**
 * Shows what is about to be decided. On a terminal, asks for whatever is missing: the end of the name of what ends, the reason, and a confirmation. Without a
 * terminal, all of it must already be given. Returns the reason if it was asked for.
 * @throws FB_ERR_INCOMPLETE, FB_ERR_NOT_CONFIRMED.
 */
export async function confirm(
  { lines, ends, isUnreasoned = false }: Confirmation,
  options: ConfirmOptions,
): Promise<string | undefined> {
  for (const line of lines) process.stderr.write(`${printable(line)}\n`);
  if (ends !== undefined) {
    mustBeConfirmable(options, ends);
    if (options.target !== undefined) mustEndName(ends, options.target);
  }
  if (!hasTerminal()) {
    if (isUnreasoned) throw new FirebreakError('FB_ERR_INCOMPLETE', 'this answer needs a reason: add --reason TEXT');
    return undefined;
  }
  const terminal = askOnTerminal();
  const ask = async (question: string): Promise<string> => {
    const typed = await terminal.ask(question);
    if (typed === undefined) throw new FirebreakError('FB_ERR_NOT_CONFIRMED', 'nobody answered');
    return typed;
  };
  try {
    if (ends !== undefined && options.target === undefined) mustEndName(ends, await ask(`${endText(ends)}: `));
    const reason = isUnreasoned ? (await ask('Why? It is signed with your answer. ')).trim() : undefined;
    const problem = reason === undefined ? undefined : problemOfReason(reason);
    if (problem !== undefined) throw new FirebreakError('FB_ERR_NOT_CONFIRMED', problem);
    if (!options.yes && !/^y(es)?$/i.test((await ask('Do this? [y/N] ')).trim()))
      throw new FirebreakError('FB_ERR_NOT_CONFIRMED', 'the answer was no');
    return reason === undefined ? undefined : reasonToSign(reason);
  } finally {
    terminal.close();
  }
}

/**
 * Asks which of several is meant, by number or id. Returns undefined if it cannot ask: without a terminal, with `--yes`, or if there is only one choice.
 * @throws FB_ERR_NOT_CONFIRMED if the answer names none of them.
 */
export async function pick(
  { lines, of }: { readonly lines: readonly string[]; readonly of: readonly { readonly id: string; readonly label: string }[] },
  { yes }: ConfirmOptions,
): Promise<string | undefined> {
  if (!hasTerminal() || yes || of.length < 2) return undefined;
  const numbered = of.map(({ id, label }, index) => `  ${index + 1}  ${label} (${id})`);
  for (const line of [...lines, ...numbered]) process.stderr.write(`${printable(line)}\n`);
  const terminal = askOnTerminal();
  try {
    const typed = (await terminal.ask(`Which one? [1-${of.length}] `))?.trim();
    const picked = of.find(({ id }, index) => typed === id || typed === String(index + 1));
    if (!picked) throw new FirebreakError('FB_ERR_NOT_CONFIRMED', 'none of them was chosen');
    return picked.id;
  } finally {
    terminal.close();
  }
}

/** Asks questions on the terminal, one at a time. If the person ends the input or interrupts, there is no answer, which never counts as yes. */
export function askOnTerminal(): { ask(question: string): Promise<string | undefined>; close(): void } {
  const asker = createInterface({ input: process.stdin, output: process.stderr });
  const closed = once(asker, 'close').then(() => undefined);
  return {
    ask: (question) => Promise.race([asker.question(printable(question)).catch(() => undefined), closed]),
    close: () => asker.close(),
  };
}

/** Of `our-playbooks@1.1.0` the version: its last characters are also those of another. A run of an incident (`cart@01a2…`) is none. */
function versionIn(name: string): string | undefined {
  return /@(\d+\.\d+\.\d+\S*)$/.exec(lastPart(name))?.[1];
}

/** What has to be typed to name it. */
export function typedTarget(name: string): string {
  return versionIn(name) ?? typedEnd(name);
}

function endText(name: string): string {
  return versionIn(name) === undefined
    ? `Last ${typedCharacters} characters of ${lastPart(name)}`
    : `Version in ${lastPart(name)}`;
}

function mustEndName(ends: string, typed: string): void {
  if (typed.trim().toLowerCase() === typedTarget(ends)) return;
  throw new FirebreakError(
    'FB_ERR_NOT_CONFIRMED',
    versionIn(ends) === undefined
      ? `these are not the last ${typedCharacters} characters of ${lastPart(ends)}`
      : `this is not the version in ${lastPart(ends)}`,
  );
}
