import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import type { Alert } from '../../core/alert/alert.ts';
import { subjectOf } from '../../core/alert/subject.ts';
import { incidentIdOf } from '../../core/incident/incident.ts';
import type { Duration } from '../../core/playbook/duration.ts';
import { playbooks } from '../../playbooks/index.ts';
import { readLog } from '../../service/commands/assess/read-log.ts';
import { simulate } from '../../testing/simulate.ts';

const folder = join(import.meta.dirname, '../fixtures/judgement/intrusions');

/** The alerts of one intrusion, by incident, with the uids that a cell would know. */
async function incidentsOf(file: string): Promise<readonly (readonly { readonly alert: Alert; readonly atMs: number }[])[]> {
  const incidents = new Map<string, { readonly alert: Alert; readonly atMs: number }[]>();
  for await (const item of readLog(join(folder, file))) {
    if (item.kind !== 'alert' || !item.alert.pod) continue;
    const alert = { ...item.alert, pod: { ...item.alert.pod, uid: `uid of ${item.alert.pod.name}` } };
    const id = incidentIdOf(subjectOf(alert));
    incidents.set(id, [...(incidents.get(id) ?? []), { alert, atMs: item.atMs }]);
  }
  return [...incidents.values()];
}

function secondsAfter(ms: number): Duration {
  return `0${Math.round(ms / 1_000)}s`;
}

/** How often people are asked in an intrusion if nobody answers, without joining and with it. */
async function asked(file: string, mode: 'contain' | 'ask'): Promise<string> {
  let [questions, joined] = [0, 0];
  for (const [first, ...later] of await incidentsOf(file)) {
    if (!first) continue;
    const more = later.map(({ alert, atMs }) => ({ alert, after: secondsAfter(atMs - first.atMs) }));
    const { events } = await simulate(playbooks, { alert: first.alert, more, response: { mode } });
    questions += events.filter(({ kind }) => kind === 'question.asked').length;
    joined += events.filter(({ kind }) => kind === 'question.joined').length;
  }
  return `${questions + joined} → ${questions}`;
}

test('one intrusion is one question a pod once it is contained; before that, what offers other answers is asked by itself', async () => {
  const found: Record<string, string> = {};
  for (const file of readdirSync(folder).filter((name) => name.endsWith('.ndjson')))
    found[file.replace('.ndjson', '')] = `contain: ${await asked(file, 'contain')}; ask: ${await asked(file, 'ask')}`;
  expect(found).toEqual({
    '01-kinsing-miner': 'contain: 5 → 1; ask: 5 → 3',
    '03-webshell-token-lateral': 'contain: 5 → 2; ask: 5 → 2',
    // The second one is about the node.
    '05-release-agent-escape': 'contain: 2 → 2; ask: 2 → 2',
    '07-ransom-deletion': 'contain: 2 → 1; ask: 2 → 2',
    '09-backdoored-sshd-cron': 'contain: 3 → 1; ask: 3 → 2',
    '11-worm-5-workloads': 'contain: 5 → 5; ask: 6 → 5',
  });
});
