import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { testPlatform } from '../../platform.ts';
import { alertOf } from '../../workflows/people.ts';
import { replayHistory } from '../../workflows/replay-history.ts';
import { refuse } from '../../workflows/scripted.ts';
import { useRealLab } from './use-real-lab.ts';

const workflowsPath = join(import.meta.dirname, '../../playbooks/mistaken-playbooks.ts');
const platform = await testPlatform();
const { lab, script } = useRealLab(platform, { workflowsPath });

/** People are told what still holds, and the command that begins the incident again. */
function stoppedText(playbook: string, detail: string, id: string): string {
  const short = id.split('/').slice(2).join('/');
  return `Playbook ${playbook} stopped: ${detail}. What it has contained stays contained. It asks nothing more. When it is corrected, anyone on the roster can begin this incident again while it is open: firebreak incidents rerun ${short} --reason "playbook corrected" --as YOU --key FILE. Open questions are then asked again, without their votes.`;
}

describe('a playbook that never waits', () => {
  test.each([
    ['forgot-to-count', 'Spin', 13],
    ['catches-all', 'Catch', 18],
    ['waits-for-nothing', 'Await', 30],
    ['calls-itself', 'Recur', 35],
  ])('%s is stopped, and people are told the line of its source', async (id, rule, line) => {
    const incident = await lab.start([alertOf({ rule })], { playbooks: [id] });
    const { bodies } = await incident.until(
      (state) => state.bodies.some(({ state: at }) => at === 'failed'),
      'the end of the body',
    );
    const reason = `it went on without waiting for anything, at playbooks/mistaken-playbooks.ts:${line}`;
    expect(bodies).toMatchObject([{ playbook: id, state: 'failed', detail: reason }]);
    await incident.result();
    const record = lab.seen.records.find(({ kind, actor }) => kind === 'playbook.failed' && actor === `playbook/${id}`);
    expect(record?.body).toMatchObject({ code: 'FB_ERR_PLAYBOOK_LOOPS' });
    expect(lab.seen.threads).toContainEqual(expect.stringContaining(`Playbook ${id} stopped: ${reason}. `));
  });

  test('is stopped at the same turn when its history is replayed', async () => {
    const incident = await lab.start([alertOf({ rule: 'Await' })], { playbooks: ['waits-for-nothing'] });
    await incident.result();
    const history = await lab.env.client.workflow.getHandle(incident.id).fetchHistory();
    expect(await replayHistory(incident.id, history, workflowsPath)).toEqual([undefined]);
  });

  test('does not keep another incident from its first step', async () => {
    const loops = ['forgot-to-count', 'catches-all', 'calls-itself'];
    const rules = ['Spin', 'Catch', 'Recur'];
    for (const rule of rules) await lab.start([alertOf({ rule })], { playbooks: loops });
    const critical = await lab.start([alertOf()], { playbooks: ['firebreak/contain-dropped-binary'] });
    await critical.until(({ leases }) => leases.some(({ state }) => state === 'active'), 'the quarantine');
  });

  test('does not keep another incident from its first step with a regular expression either, and goes on itself', async () => {
    const matching = await lab.start([alertOf({ rule: 'Match' })], { playbooks: ['matches-for-ever'] });
    const critical = await lab.start([alertOf({ n: 2 })], { playbooks: ['firebreak/contain-dropped-binary'] });
    await critical.until(({ leases }) => leases.some(({ state }) => state === 'active'), 'the quarantine');
    const { timeline } = await matching.result();
    expect(timeline).toContainEqual(expect.objectContaining({ kind: 'playbook.note', text: 'something else' }));
  });

  test('may take many turns if it waits in between', async () => {
    const incident = await lab.start([alertOf({ rule: 'Work' })], { playbooks: ['works-hard'] });
    const { bodies, timeline } = await incident.result();
    expect(bodies).toMatchObject([{ playbook: 'works-hard', state: 'done' }]);
    expect(timeline).toContainEqual(expect.objectContaining({ kind: 'playbook.note', text: 'worked through' }));
  });
});

describe('a playbook that throws', () => {
  test.each([
    [
      'throws-itself',
      'Throw',
      "Cannot destructure property 'commandLine' of 'alert.process' as it is undefined.",
      'const { commandLine }',
    ],
    ['fails-in-a-step', 'Fail', 'no such pod', 'async function keep(): Promise<void> {\n'],
    [
      'lasts-for-nothing',
      'Instant',
      'quarantinePod has the lease 0h, which is not a duration: write 30m or 4h, or leave it out',
      "title: 'Contains for no time', on: on('Instant'), uses: { quarantinePod } },\n  async ({ alert, steps }) => {\n",
    ],
  ])('%s is reported with file and line of its source', async (id, rule, reason, written) => {
    script.snapshotPodState = () => refuse('FB_ERR_REFUSED', 'no such pod');
    const incident = await lab.start([alertOf({ rule })], { playbooks: [id] });
    const { bodies } = await incident.result();
    const source = readFileSync(workflowsPath, 'utf8');
    const line = source.slice(0, source.indexOf(written) + written.length).split('\n').length;
    const place = `playbooks/mistaken-playbooks.ts:${line}`;
    expect(bodies).toMatchObject([{ playbook: id, state: 'failed', detail: `${reason}, at ${place}` }]);
    const record = lab.seen.records.find(({ kind, actor }) => kind === 'playbook.failed' && actor === `playbook/${id}`);
    expect(record?.body).toMatchObject({ at: place });
    expect(lab.seen.threads).toContainEqual(stoppedText(id, `${reason}, at ${place}`, incident.id));
  });
});

describe('a playbook that throws something other than an error', () => {
  test.each([
    ['throws-text', 'Text', '“no way”'],
    ['throws-nothing', 'Nothing', 'undefined'],
  ])('%s is reported as stopped', async (id, rule, thrown) => {
    const incident = await lab.start([alertOf({ rule })], { playbooks: [id] });
    const { bodies } = await incident.result();
    const detail = `something was thrown that is not an Error: ${thrown}. Write throw new Error('…'), which records where`;
    expect(bodies).toMatchObject([{ playbook: id, state: 'failed', detail }]);
    expect(lab.seen.threads).toContainEqual(expect.stringContaining(`Playbook ${id} stopped: ${detail}. `));
  });
});

describe('a promise that an author made and dropped', () => {
  const lineOf = (written: string): number => {
    const source = readFileSync(workflowsPath, 'utf8');
    return source.slice(0, source.indexOf(written) + written.length).split('\n').length;
  };
  test('is reported with file and line if it fails, its body goes on, and its incident ends; one that is awaited later is not', async () => {
    script.snapshotPodState = () => refuse('FB_ERR_REFUSED', 'no such pod');
    const incident = await lab.start([alertOf({ rule: 'Drop' })], { playbooks: ['drops-work'] });
    const { bodies, timeline } = await incident.result();
    expect(bodies).toMatchObject([{ playbook: 'drops-work', state: 'done' }]);
    expect(timeline.filter(({ kind }) => kind === 'playbook.note').map(({ text }) => text)).toEqual([
      'heard of the other',
      'went on',
    ]);
    const at = `playbooks/mistaken-playbooks.ts:${lineOf("await sleep('1s');\n      await steps.snapshot")}`;
    const text = `something failed that the playbook does not await: no such pod, at ${at}. Write await before it, or settle`;
    expect(timeline.filter(({ kind }) => kind === 'playbook.dropped')).toMatchObject([{ text }]);
    expect(lab.seen.threads).toContainEqual(`Playbook drops-work: ${text}`);
    const history = await lab.env.client.workflow.getHandle(incident.id).fetchHistory();
    expect(await replayHistory(incident.id, history, workflowsPath)).toEqual([undefined]);
  });

  test('is also reported if it fails after the end of its body', async () => {
    const incident = await lab.start([alertOf({ rule: 'Late' })], { playbooks: ['drops-late'] });
    const { timeline } = await incident.result();
    const at = `playbooks/mistaken-playbooks.ts:${lineOf("then(() => {\n      throw new TypeError('too")}`;
    const text = `something failed that the playbook does not await: too late, at ${at}. Write await before it, or settle`;
    expect(timeline.filter(({ kind }) => kind === 'playbook.dropped')).toMatchObject([{ text }]);
  });
});
