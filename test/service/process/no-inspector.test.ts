import { type ChildProcess, spawn } from 'node:child_process';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, test } from '@jest/globals';
import { processExists } from '../../../integrations/running-process.ts';
import { serviceNodeFlags } from '../../../service/launcher/node-flags.mjs';
import { DescribingAhead } from '../../../service/packs/describe-ahead.ts';
import { projectRoot } from '../../../service/process/project-root.ts';
import { WarmBundler } from '../../../service/temporal/bundle/warm-bundler.ts';
import { eventually } from '../../eventually.ts';
import { killed } from '../../processes.ts';
import { hostOf, looked } from '../packs/parts/looking.ts';

const started: ChildProcess[] = [];
afterAll(async () => {
  for (const child of started) await killed(child);
});

/** A process that waits for its input. */
function waiting(...args: readonly string[]): ChildProcess {
  const child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'ignore'] });
  started.push(child);
  return child;
}

function childrenOf(pid: number): readonly number[] {
  return readdirSync(`/proc/${pid}/task`)
    .flatMap((task) => readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8').trim().split(' '))
    .filter((child) => child !== '')
    .map(Number);
}

/** Whether SIGUSR1 no longer ends it, as it ends a program that has hardly begun. */
function minds(pid: number): boolean {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return /^Sig(?:Blk|Ign|Cgt):\s+[0-9a-f]+[2367abef][0-9a-f]{2}$/m.test(status);
}

/** Whether it listens on a TCP port. */
function listens(pid: number): boolean {
  const sockets = readdirSync(`/proc/${pid}/fd`).map((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`));
  const lines = readFileSync(`/proc/${pid}/net/tcp`, 'utf8').split('\n');
  return lines.some((line) => {
    const fields = line.trim().split(/\s+/);
    return fields[3] === '0A' && sockets.includes(`socket:[${fields[9]}]`);
  });
}

const commandLine = (pid: number): string => readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');

test('SIGUSR1 opens an inspector in no process of Firebreak, and none of them ends by it', async () => {
  const cli = join(projectRoot(), 'service', 'cli.ts');
  for (const args of [
    ['--disable-warning=ExperimentalWarning', cli, 'alerts', 'parse'],
    [...serviceNodeFlags, '-e', 'process.stdin.resume()'],
    [join(projectRoot(), 'bin', 'firebreak.mjs'), 'alerts', 'parse'],
  ])
    waiting(...args);
  const ahead = new DescribingAhead();
  const bundler = new WarmBundler();
  const host = hostOf("return { seen: 'it' };");
  expect(await looked(host)).toMatchObject({ end: 'value' });
  const plain = waiting('-e', 'process.stdin.resume()');
  try {
    const ours = (): readonly number[] => childrenOf(process.pid).filter((pid) => pid !== plain.pid);
    for (const program of ['describe-main', 'bundle-main', 'action-host-main', 'alerts parse'])
      await eventually(`${program} runs`, () => ours().some((pid) => commandLine(pid).includes(program)));
    const signalled = ours();
    // Also the one with an inspector: a signal before that would end it.
    await eventually('each has begun', () => [...signalled, plain.pid ?? 0].every(minds));
    for (const pid of signalled) process.kill(pid, 'SIGUSR1');
    // What happens by default, and when it has happened.
    await eventually('a Node without the flag has opened one', () => {
      plain.kill('SIGUSR1');
      return listens(plain.pid ?? 0);
    });
    expect(signalled.length).toBeGreaterThanOrEqual(6);
    expect(signalled.filter((pid) => !processExists(pid)).map(commandLine)).toEqual([]);
    expect(signalled.filter(listens).map(commandLine)).toEqual([]);
    expect(await looked(host)).toMatchObject({ end: 'value' });
  } finally {
    ahead.close();
    bundler.close();
    host.close();
  }
});
