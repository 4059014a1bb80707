import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { eventually } from '../../eventually.ts';
import { killed } from '../../processes.ts';

let folder: string;
let log: string;
const started: ChildProcess[] = [];

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'firebreak-sign-in-'));
  log = join(folder, 'log');
  appendFileSync(log, '');
});
afterAll(async () => {
  await Promise.all(started.map(killed));
  rmSync(folder, { recursive: true, force: true });
});

/** Starts a process that holds the sign-in of a desk for this long, and records when it begins and ends. */
function atSignIn(name: string, ms: number): ChildProcess {
  const module = new URL('../../../service/commands/desk/stored-sign-in.ts', import.meta.url).href;
  const body = `
    import { appendFileSync } from 'node:fs';
    import { setTimeout as sleep } from 'node:timers/promises';
    import { oneAtATime } from ${JSON.stringify(module)};
    const say = (what) => appendFileSync(${JSON.stringify(log)}, what + ' ' + ${JSON.stringify(name)} + '\\n');
    await oneAtATime('https://desk.example', async () => {
      say('begins');
      await sleep(${ms});
      say('ends');
    });`;
  const child = spawn(process.execPath, ['--input-type=module', '--disable-warning=ExperimentalWarning', '-e', body], {
    env: { PATH: process.env.PATH, XDG_CONFIG_HOME: folder },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  started.push(child);
  return child;
}

test('several commands use a stored sign-in one after another, even if one is killed midway', async () => {
  const first = atSignIn('killed', 3_600_000);
  await eventually('it has begun', () => readFileSync(log, 'utf8') === 'begins killed\n');
  const names = ['a', 'b', 'c', 'd'];
  const others = names.map((name) => atSignIn(name, 30));
  const ends = others.map((child) => once(child, 'exit'));
  await killed(first);
  expect((await Promise.all(ends)).map(([code]) => code)).toEqual(names.map(() => 0));
  const [, ...lines] = readFileSync(log, 'utf8').trim().split('\n');
  const pairs = lines.flatMap((line, at) => (at % 2 === 0 ? [[line, lines[at + 1]]] : []));
  expect(pairs.toSorted()).toEqual(names.map((name) => [`begins ${name}`, `ends ${name}`]));
  expect(existsSync(join(folder, 'firebreak', 'sign-ins', 'desk.example.json.lock'))).toBe(true);
});
