/** Commands in the pages. The quickstart and the tutorial are run line by line; everywhere else, every command and option must exist. */
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { beforeAll, expect, test } from '@jest/globals';
import type { Command } from 'commander';
import { errorCatalogue } from '../../core/errors.ts';
import { createWholeProgram } from '../../service/commands/program.ts';
import { readPages } from '../../tools/site/pages.ts';
import { blocksOf } from '../page-blocks.ts';

const root = resolve(import.meta.dirname, '../..');
const readme = { name: 'README.md', file: 'README.md', text: readFileSync(join(root, 'README.md'), 'utf8') };
// History is left as it was written.
const pages = [...readPages().filter(({ name }) => name !== 'CHANGELOG.md' && !name.startsWith('decisions/')), readme];
const scripts: readonly string[] = Object.keys(JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).scripts);

let program: Command;
beforeAll(async () => {
  program = await createWholeProgram({ version: '0.0.0' });
});

/** The lines of shell blocks, with continued lines joined, and what is in backticks. */
function linesOf(text: string): readonly string[] {
  const blocks = blocksOf(text).filter(({ kind }) => /^(sh|console|bash)\b/.test(kind));
  const typed = blocks.flatMap(({ lines }) =>
    lines
      .join('\n')
      .replaceAll(/\\\n\s*/g, ' ')
      .split('\n'),
  );
  return [...typed, ...[...text.matchAll(/(?<!`)`([^`\n]+)`(?!`)/g)].map(([, code = '']) => code)];
}

function callsOf(line: string): readonly string[] {
  return [...line.matchAll(/(?:^|[;&|($]\s*|\$ )(?:npx |kubectl )?firebreak ([^;&|)#]*)/g)].map(([, words = '']) => words.trim());
}

/** The part of a call that the program does not know; undefined if it knows all of it. */
function unknownIn(call: string): string | undefined {
  let command = program;
  const options: string[] = [];
  let isPath = true;
  for (const word of call.replaceAll(/"[^"]*"|'[^']*'/g, 'TEXT').split(/\s+/)) {
    const next = isPath && command.commands.find((one) => one.name() === word || one.aliases().includes(word));
    if (isPath && word === 'help') return undefined;
    if (next) command = next;
    else {
      if (isPath && command.commands.length > 0 && /^[a-z][a-z-]*$/.test(word)) return `${command.name()} ${word}`;
      isPath = false;
      if (/^--[a-z]/.test(word)) options.push(word.split('=')[0] ?? word);
    }
  }
  const known = new Set(['--help', '--version', ...[command, program].flatMap((one) => one.options.map(({ long }) => long))]);
  return options.find((option) => !known.has(option.replace(/[,.]$/, '')));
}

test('every Firebreak command that a page names exists, with its options', () => {
  const calls = pages.flatMap(({ file, text }) =>
    linesOf(text)
      .flatMap(callsOf)
      .map((call) => ({ file, call })),
  );
  expect(calls.length).toBeGreaterThan(200);
  expect(
    calls.map(({ file, call }) => ({ file, call, unknown: unknownIn(call) })).filter(({ unknown }) => unknown !== undefined),
  ).toEqual([]);
});

test('so does every npm script', () => {
  const called = pages.flatMap(({ file, text }) =>
    linesOf(text).flatMap((line) => [...line.matchAll(/\bnpm run ([\w:-]+)/g)].map(([, script = '']) => ({ file, script }))),
  );
  // An author’s own, in a pack.
  expect(
    called.filter(({ file, script }) => !scripts.includes(script) && !/docs\/(packs|tutorial|playbook-tests)\.md/.test(file)),
  ).toEqual([]);
});

test('so does every error code', () => {
  const codes = pages.flatMap(({ file, text }) =>
    [...text.matchAll(/\bFB_ERR_[A-Z_]*[A-Z]\b/g)].map(([code]) => ({ file, code })),
  );
  expect(codes.length).toBeGreaterThan(50);
  expect(codes.filter(({ code }) => !Object.hasOwn(errorCatalogue, code))).toEqual([]);
});
