/** Runs the quickstart block by block, as somebody would who has just cloned the tree. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { runCommand } from '../../service/parts/command.ts';
import { projectRoot } from '../../service/process/project-root.ts';
import { freePorts } from '../../tools/platform/ports.ts';
import { eventually } from '../eventually.ts';
import { blocksOf } from '../page-blocks.ts';

const blocks = blocksOf(readFileSync(join(projectRoot(), 'docs/quickstart.md'), 'utf8'));

const folder = mkdtempSync(join(tmpdir(), 'firebreak-quickstart-'));
const state = join(folder, 'servers');
const env = { ...process.env, PATH: `${join(folder, 'bin')}:${process.env.PATH}`, NO_COLOR: '1' };
let cwd = folder;
let port = 0;
let service: ChildProcess | undefined;
let serviceLog = '';

beforeAll(async () => {
  // Does what npx does in a checkout, in a folder that is not one.
  mkdirSync(join(folder, 'bin'));
  const program = `#!/bin/sh\nshift\nexec "${process.execPath}" "${join(projectRoot(), 'bin', 'firebreak.mjs')}" "$@"\n`;
  writeFileSync(join(folder, 'bin', 'npx'), program, { mode: 0o755 });
  port = await twelvePorts();
});
afterAll(async () => {
  if (service?.exitCode === null) {
    service.kill('SIGTERM');
    await once(service, 'exit');
  }
  await type(`npx firebreak dev down --state ${state}`);
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
});

/** Finds twelve consecutive ports, below those that other test servers pick at random. */
async function twelvePorts(): Promise<number> {
  const names = Array.from({ length: 12 }, (_, index) => String(index));
  for (;;) {
    const from = 10_000 + Math.floor(Math.random() * 9_900);
    if (await freePorts({ names, from }).catch(() => undefined)) return from;
  }
}

/** Returns the line with ports that are free here and another state folder, because the default would be the user's own. */
function here(line: string): string {
  return line
    .replaceAll('17233', String(port))
    .replaceAll('8765', String(port + 10))
    .replaceAll('8766', String(port + 11))
    .replace(/\bdev up\b/, `dev up --state ${state}`);
}

async function type(line: string): Promise<{ readonly code: number | null; readonly text: string }> {
  const { code, stdout, stderr } = await runCommand({ command: 'bash', args: ['-c', line], cwd, env });
  return { code, text: stdout + stderr };
}

/** Without a terminal, a destructive command says which flags to add. */
async function typeAndConfirm(line: string): Promise<{ readonly code: number | null; readonly text: string }> {
  const first = await type(line);
  const [, ends] = /--yes and --target with the last 4 characters of (\S+)/.exec(first.text) ?? [];
  return first.code === 2 && ends !== undefined ? type(`${line} --yes --target ${ends.slice(-4)}`) : first;
}

describe('the quickstart', () => {
  test('contains the pod of an alert, and destroys it when two people say so', async () => {
    let paste = '';
    for (const { kind, lines } of blocks) {
      if (kind === 'yaml') writeFileSync(join(cwd, 'firebreak.yaml'), `${lines.map(here).join('\n')}\n${paste}\n`);
      else if (kind === 'sh terminal') await runService(lines);
      else
        for (const line of lines.map(here)) {
          if (line.includes(' approve ')) await questionIsOpen();
          const { code, text } = await typeAndConfirm(line);
          expect({ line, code, text }).toEqual({ line, code: 0, text });
          paste = /^Add to firebreak\.yaml:\n\n((?:\w+: .*\n)+)/m.exec(text)?.[1] ?? paste;
          const [, into] = /&& cd (\S+)$/.exec(line) ?? [];
          if (into !== undefined) cwd = resolve(cwd, into);
        }
    }
    const steps = await eventually('the end of the pod', async () => {
      const { text } = await type('npx firebreak incidents show shop/Deployment/cart');
      return /done +deletePod|verified +deletePod/.test(text) && text;
    });
    expect(steps).toContain('rotateSecret');
  });
});

async function runService([line = '']: readonly string[]): Promise<void> {
  const log = join(folder, 'service.log');
  appendFileSync(log, '');
  service = spawn('bash', ['-c', `exec ${line} > ${log} 2>&1`], { cwd, env, stdio: 'ignore' });
  await eventually('at work', () => {
    serviceLog = readFileSync(log, 'utf8');
    if (service?.exitCode !== null) throw new Error(`it has ended:\n${serviceLog}`);
    return serviceLog.includes('ready: connected to Temporal');
  });
}

/** What a reader sees when they look again. */
async function questionIsOpen(): Promise<void> {
  await eventually('the question', async () =>
    (await type('npx firebreak incidents show shop/Deployment/cart')).text.includes('--choice remove'),
  );
}
