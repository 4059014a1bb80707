import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Alert } from '../../../core/alert/alert.ts';
import type { Page } from '../../../core/tickets/paging.ts';
import { shippedPack } from '../../../playbooks/index.ts';
import { assessedAs } from '../../fixtures/assessed.ts';
import { type Lab, type RunningIncident, startLab } from '../harness.ts';
import { alertOf, batchOf } from '../people.ts';
import { refuse, type Script } from '../scripted.ts';
import { mainQuestion } from '../voting.ts';

const called: Omit<Page, 'key'>[] = [];
const script: Script = {};
const settings = {
  playbooks: ['firebreak/contain-dropped-binary', 'firebreak/ask-about-shell', 'firebreak/ask-about-unanswered'],
  followUp: { tickets: false, pages: true },
  levels: [
    { group: 'oncall', withinMs: 900_000 },
    { group: 'leads', withinMs: 900_000, page: true },
  ],
} as const;
let lab: Lab;

beforeAll(async () => {
  lab = await startLab({
    script,
    others: {
      callPeople: async (page) => void called.push(page),
      endPage: async () => undefined,
      updateTicket: async () => undefined,
      ticketNews: async () => [],
    },
  });
});
afterAll(() => lab.stop());

const escaped = (over: Partial<Alert> = {}): Alert => alertOf({ rule: 'Detect release_agent File Container Escapes', ...over });
const applied = ({ id }: RunningIncident, action: string) =>
  lab.seen.applied.filter((call) => call.incident.id === id && call.action === action);
const groupsCalled = ({ id }: RunningIncident) => called.filter((page) => page.incident.id === id).map(({ group }) => group);

describe('an alert that no playbook answers', () => {
  test('on critical is asked about and people are paged; their yes contains the pod', async () => {
    const incident = await lab.start([escaped()], settings);
    const question = await incident.question();
    expect(question.question.text).toBe(
      'No playbook answers “Detect release_agent File Container Escapes” in shop/cart-1. What was it?',
    );
    expect(question.question.choices.map(({ id, plans }) => [id, plans.map(({ action }) => action)])).toEqual([
      ['expected', []],
      ['look', []],
      ['quarantine', ['quarantinePod']],
    ]);
    await incident.until(({ timeline }) => timeline.some(({ kind }) => kind === 'page.sent'), 'a call');
    expect(groupsCalled(incident)).toEqual(['oncall']);
    expect(applied(incident, 'quarantinePod')).toEqual([]);
    await incident.vote('quarantine', 'ana');
    const state = await incident.until(({ leases }) => leases.length > 0, 'containment');
    expect(state).toMatchObject({ verdict: 'suspicious', leases: [{ action: 'quarantinePod', state: 'active' }] });
    expect(applied(incident, 'snapshotPodState')).toHaveLength(1);
  });

  test('on high pages nobody at first, and the next level after silence; a ticket is filed', async () => {
    const incident = await lab.start([escaped({ severity: 'high' })], settings);
    await incident.question();
    await lab.env.sleep('16m');
    await incident.until(({ timeline }) => timeline.some(({ kind }) => kind === 'page.sent'), 'a call');
    expect(groupsCalled(incident)).toEqual(['leads']);
    expect(await incident.result()).toMatchObject({ verdict: 'unknown', leases: [] });
    expect(applied(incident, 'openTicket')).toMatchObject([{ input: { title: expect.stringMatching(/: shop\/cart$/) } }]);
  });

  test('of a node, without a pod, is asked about too', async () => {
    const { pod: _, workload: __, container: ___, ...node } = escaped({ node: 'n1' });
    const incident = await lab.start([node], settings);
    const { question } = await incident.question();
    expect([question.text, question.choices.map(({ id }) => id)]).toEqual([
      'No playbook answers “Detect release_agent File Container Escapes” in n1. What was it?',
      ['expected', 'look'],
    ]);
    await incident.vote('look', 'ana');
    expect(await incident.result()).toMatchObject({ verdict: 'suspicious' });
    expect(applied(incident, 'openTicket')).toHaveLength(1);
  });

  test('of a pod that is gone says so, even if a playbook answers its rule, and does not count as unanswered in tune', async () => {
    const gone = alertOf({ pod: { namespace: 'shop', name: 'cart-9' } });
    const incident = await lab.start([gone], settings);
    const { question } = await incident.question();
    expect(question.text).toBe(
      '“Drop and execute new binary in container” came from the pod shop/cart-9, which is gone or not found: no playbook can act on it. What was it?',
    );
    await incident.vote('look', 'ana');
    await incident.result();
    expect(applied(incident, 'openTicket')).toMatchObject([{ input: { body: expect.stringContaining('Its pod is gone') } }]);
    const started = lab.seen.records.filter(
      ({ chain, kind }) => chain.startsWith(`${incident.id}@`) && kind === 'playbook.started',
    );
    expect(started.map(({ body }) => body)).toEqual([expect.not.objectContaining({ unanswered: true })]);
    // An auditor asks which program answered.
    expect(started[0]?.body.version).toBe(shippedPack.version);
  });

  test('is asked about whatever else is asked about the same pod', async () => {
    const incident = await lab.start([escaped(), escaped({ rule: 'Another' }), escaped({ title: 'again' })], settings);
    await incident.until(({ timeline }) => timeline.some(({ kind }) => kind === 'question.joined'), 'the further finding');
    const { questions } = await incident.state();
    expect(questions.map(({ question: { text } }) => text)).toEqual([expect.stringContaining('“Another”')]);
  });

  test('contains its pod if its cell has assessed it so, and asks once what becomes of it, whichever rules follow', async () => {
    const enabled = ['ask-about-unanswered', 'contain-unanswered', 'ticket-sensitive-read'].map((id) => `firebreak/${id}`);
    const read = alertOf({ rule: 'Read sensitive file untrusted', severity: 'medium', assessment: assessedAs('file') });
    const toContain = { assessment: assessedAs('contain') };
    const incident = await lab.start([read, escaped(toContain)], { ...settings, playbooks: enabled });
    const { question } = await incident.question();
    expect([question.text, question.choices.map(({ id }) => id)]).toEqual([
      'Is “Detect release_agent File Container Escapes” expected in cart-1?',
      ['release', 'watch', 'remove'],
    ]);
    await incident.alerts(batchOf([alertOf({ ...read, ...toContain, id: 'd'.repeat(32) })]));
    const state = await incident.until(({ total }) => total === 3, 'the third alert');
    expect(state.leases).toMatchObject([{ action: 'quarantinePod', state: 'active' }]);
    expect(state.questions.map(({ question: { requester } }) => requester).toSorted()).toEqual([
      // What becomes of the lease.
      'engine',
      'playbook/firebreak/contain-unanswered',
    ]);
    expect(state.bodies.map(({ playbook }) => playbook).toSorted()).toEqual([
      'firebreak/contain-unanswered',
      'firebreak/ticket-sensitive-read',
    ]);
    expect(applied(incident, 'quarantinePod')).toHaveLength(1);
    await incident.vote('remove', 'ana');
    expect(await incident.result()).toMatchObject({ verdict: 'true_positive' });
  });

  test('is benign if two people call it harmless on critical', async () => {
    const incident = await lab.start([escaped()], settings);
    await incident.question();
    for (const person of ['ana', 'ben']) await incident.vote('expected', person);
    expect(await incident.result()).toMatchObject({ verdict: 'benign', leases: [] });
    expect(applied(incident, 'openTicket')).toEqual([]);
  });

  test('is not contained in observe mode, whatever people say', async () => {
    script.quarantinePod = () => refuse('FB_ERR_OBSERVED', 'nothing was done: observe mode');
    const incident = await lab.start([escaped()], settings);
    await incident.question();
    await incident.vote('quarantine', 'ana');
    const end = await incident.result();
    expect(end.leases).toEqual([]);
    expect(end.timeline.map(({ kind }) => kind)).toContain('step.planned');
    delete script.quarantinePod;
  });

  test('below high starts nothing, and one that a playbook answers is asked about only by that one', async () => {
    const quiet = await (await lab.start([escaped({ severity: 'medium' })], settings)).result();
    expect(quiet.questions).toEqual([]);
    const answered = await lab.start([alertOf()], settings);
    await answered.question();
    expect(mainQuestion(await answered.state())?.question.text).toContain('Is the new binary');
    expect((await answered.state()).bodies.map(({ playbook }) => playbook)).toEqual(['firebreak/contain-dropped-binary']);
  });

  test('of low severity asks nobody, but is on record all the same, with the configuration in force', async () => {
    const incident = await lab.start([escaped({ severity: 'low' })], { ...settings, configuration: 'c0ffee' });
    expect(await incident.result()).toMatchObject({ verdict: 'unknown', leases: [] });
    const records = lab.seen.records.filter(({ chain }) => chain.includes(incident.id));
    expect(records.map(({ kind }) => kind)).toEqual(['incident.opened', 'incident.closed']);
    expect(records[0]?.body).toMatchObject({
      alerts: [{ rule: 'Detect release_agent File Container Escapes', severity: 'low' }],
      configuration: 'c0ffee',
    });
    expect(records[1]?.body).toMatchObject({ answered: 'nobody', total: 1 });
  });
});
