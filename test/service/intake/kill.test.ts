import type { ChildProcess } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from '@jest/globals';
import type { AlertBatch } from '../../../core/incident/incident.ts';
import { killed } from '../../processes.ts';
import { falcoEvent, freshDirectory, removeDirectory, startIntakeProcess, token, until } from './parts/intake-fixture.ts';

const directories: string[] = [];
const children: ChildProcess[] = [];

afterEach(async () => {
  await Promise.all(children.splice(0).map(killed));
  for (const directory of directories.splice(0)) removeDirectory(directory);
});

async function startProcess(
  directory: string,
  temporal: 'up' | 'down',
  contained = '',
): Promise<{ url: string; kill: () => Promise<void> }> {
  const { url, child } = await startIntakeProcess(directory, { temporal, contained });
  children.push(child);
  return { url, kill: () => killed(child) };
}

async function postTo(url: string, body: string): Promise<boolean> {
  try {
    const response = await fetch(`${url}/v1/alerts/falco`, {
      method: 'POST',
      body,
      headers: { authorization: `Bearer ${token}` },
    });
    return response.status === 200;
  } catch {
    return false;
  }
}

/** Counts as the workflow does: each batch once. */
function countAccepted(directory: string): { counted: number; ids: readonly string[] } {
  const file = join(directory, 'taken');
  if (!existsSync(file)) return { counted: 0, ids: [] };
  const lines = readFileSync(file, 'utf8')
    .trim()
    .split('\n')
    .filter((line) => line !== '');
  const batches = lines.map((line): AlertBatch => JSON.parse(line).batch);
  const once = [...new Map(batches.map((batch) => [batch.id, batch])).values()];
  return {
    counted: once.flatMap(({ counts }) => counts).reduce((sum, { count }) => sum + count, 0),
    ids: once.flatMap(({ alerts }) => alerts.map(({ id }) => id)),
  };
}

describe('kill -9 of the intake', () => {
  test('between accept and drain loses nothing', async () => {
    const directory = freshDirectory();
    directories.push(directory);
    const first = await startProcess(directory, 'down');
    const posts = Array.from({ length: 40 }, () => JSON.stringify([falcoEvent(), falcoEvent(), falcoEvent()]));
    expect(await Promise.all(posts.map((body) => postTo(first.url, body)))).not.toContain(false);
    await first.kill();
    expect(countAccepted(directory).counted).toBe(0);
    await startProcess(directory, 'up');
    await until(() => countAccepted(directory).counted === 120);
  });

  test('as soon as a containment may begin does not lose its alert', async () => {
    const directory = freshDirectory();
    directories.push(directory);
    const contained = join(directory, 'contained');
    const body = JSON.stringify(falcoEvent());
    const first = await startProcess(directory, 'down', contained);
    expect(await postTo(first.url, body)).toBe(false);
    await startProcess(directory, 'up');
    await until(() => countAccepted(directory).counted === 1);
    expect(countAccepted(directory).ids).toEqual([readFileSync(contained, 'utf8')]);
  });

  test('at any point of a storm loses nothing and counts nothing twice', async () => {
    const directory = freshDirectory();
    directories.push(directory);
    const pods = ['web-6d4cf56db6-xbcdf', 'web-6d4cf56db6-xbcdg', 'api-0', 'api-1'];
    const accepted: string[][] = [];
    const lives = [60, 150, 230, 310, 90, 40, 120];
    for (const lifeMs of lives) {
      const { url, kill } = await startProcess(directory, 'up');
      const end = Date.now() + lifeMs;
      const senders = Array.from({ length: 4 }, async (_, sender) => {
        while (Date.now() < end + 50) {
          const body = Array.from({ length: 7 }, () => JSON.stringify(falcoEvent({}, { 'k8s.pod.name': pods[sender] })));
          // Sends again what was not answered, as a sender with a queue would: it must not count twice.
          accepted.push(body);
          if (!(await postTo(url, body.join('\n')))) return;
        }
      });
      await new Promise((done) => setTimeout(done, lifeMs));
      await Promise.all([kill(), ...senders]);
    }
    const { url } = await startProcess(directory, 'up');
    for (const body of accepted) expect(await postTo(url, body.join('\n'))).toBe(true);
    const total = accepted.length * 7;
    await until(() => countAccepted(directory).counted >= total, 20_000);
    await new Promise((done) => setTimeout(done, 500));
    expect(countAccepted(directory).counted).toBe(total);
  });
});
