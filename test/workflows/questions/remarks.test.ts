import { sign } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { incidentNames } from '../../../core/incident/incident.ts';
import type { QuestionState } from '../../../core/incident/incident-state.ts';
import { type Remark, remarkBytes, type SignedRemark } from '../../../core/incident/remark.ts';
import { type MemoryLab, type RunningIncident, startLab } from '../harness.ts';
import { alertOf, deskKey, outsiderKey } from '../people.ts';
import { mainQuestion, recordsIn } from '../voting.ts';

let lab: MemoryLab;
beforeAll(async () => {
  lab = await startLab();
});
afterAll(() => lab.stop());

async function remarkOn(
  asked: QuestionState,
  kind: Remark['kind'],
  over: Partial<Remark> = {},
  key = deskKey,
): Promise<SignedRemark> {
  const remark: Remark = {
    version: 1,
    id: `remark-${Math.random()}`,
    incident: asked.question.incident,
    question: asked.question.id,
    kind,
    person: 'ana',
    at: new Date(await lab.env.currentTimeMs()).toISOString(),
    ...over,
  };
  const signature = sign(null, remarkBytes(remark), key.privateKey).toString('base64');
  return { remark, keyId: deskKey.id, signature };
}

const say = (incident: RunningIncident, remark: unknown) =>
  lab.server.signal(lab.run(incident), incidentNames.remarkSignal, remark);

const heard = (incident: RunningIncident, kind: string) => recordsIn(lab, incident, kind);

test('a comment goes into the thread and on the record, once, and decides nothing', async () => {
  const incident = await lab.start([alertOf()]);
  const asked = await incident.question();
  const comment = await remarkOn(asked, 'comment', { text: 'Our scanner does that.' });
  await say(incident, comment);
  await say(incident, comment);
  await incident.until(() => lab.seen.threads.includes('Ana: Our scanner does that.'), 'the thread');
  await incident.until(() => heard(incident, 'question.comment').length > 0, 'the record');
  expect(heard(incident, 'question.comment')).toMatchObject([
    { actor: 'person/ana', body: { text: 'Ana: Our scanner does that.' } },
  ]);
  expect(mainQuestion(await incident.state())).toMatchObject({ status: { state: 'open' }, votes: [], level: 0 });
  await incident.vote('remove', 'ana');
  await incident.result();
});

test('whoever an alert names may comment, and the thread says that it is them; they may do nothing else', async () => {
  const incident = await lab.start([alertOf({ actors: ['lea'] })]);
  const asked = await incident.question();
  await say(incident, await remarkOn(asked, 'comment', { person: 'lea', text: 'It is me: ticket OPS-4711.' }));
  await say(incident, await remarkOn(asked, 'next', { person: 'lea' }));
  await incident.until(
    () => lab.seen.threads.some((line) => line.endsWith(', whom an alert names: It is me: ticket OPS-4711.')),
    'the thread',
  );
  await incident.until(() => heard(incident, 'remark.refused').length === 1, 'the refusal');
  expect(mainQuestion(await incident.state())).toMatchObject({ status: { state: 'open' }, votes: [], level: 0 });
  await incident.vote('remove', 'ana');
  await incident.result();
});

test('the next level is asked now, and may answer', async () => {
  const incident = await lab.start([alertOf()]);
  const asked = await incident.question();
  await say(incident, await remarkOn(asked, 'next'));
  const state = await incident.until((now) => mainQuestion(now)?.level === 1, 'the next level');
  expect(state.timeline.map(({ kind }) => kind)).toEqual(expect.arrayContaining(['question.passed-on', 'question.escalated']));
  expect(state.timeline.map(({ text }) => text)).toContain('Ana called in leads');
  await incident.vote('remove', 'lea');
  expect((await incident.result()).verdict).toBe('true_positive');
});

test('whoever wants to be asked again is asked again, and the deadline stays', async () => {
  const incident = await lab.start([alertOf()]);
  const asked = await incident.question();
  const before = lab.seen.answers.length;
  await say(incident, await remarkOn(asked, 'snooze'));
  await incident.until(() => lab.seen.answers.length > before, 'an answer');
  const told = lab.seen.answers.at(-1) ?? '';
  const [, remindedAt = '', askedAt = ''] = /^You will be reminded at (\S+Z)\. .*: leads is asked at (\S+Z)\.$/.exec(told) ?? [];
  // In 15 minutes as the menu says, although the next level is asked a moment before that.
  expect(askedAt).toBe(asked.levelUntil);
  expect(Date.parse(remindedAt)).toBeGreaterThanOrEqual(Date.parse(asked.askedAt) + 900_000);
  expect(mainQuestion(await incident.state())?.levelUntil).toBe(asked.levelUntil);
  await incident.until(() => heard(incident, 'question.snoozed').length > 0, 'the record');
  const text = `Ana asked to be reminded at ${remindedAt}`;
  const { id: question } = asked.question;
  expect(heard(incident, 'question.snoozed')).toMatchObject([
    { actor: expect.stringMatching(/^person\//), body: { question, text } },
  ]);
  await lab.env.sleep('930s');
  await incident.until(() => lab.seen.answers.some((text) => text.startsWith('You asked for this reminder')), 'the reminder');
  expect(mainQuestion(await incident.state())).toMatchObject({ status: { state: 'open' }, level: 1 });
  // Less than 15 minutes are left: the reminder comes before the end, and says so.
  await lab.env.sleep('50m');
  const last = lab.seen.answers.length;
  await say(incident, await remarkOn(asked, 'snooze'));
  await incident.until(() => lab.seen.answers.length > last, 'the second answer');
  expect(lab.seen.answers.at(-1)).toMatch(/The question ends a minute later, so 15 minutes are too long\.$/);
  await incident.vote('remove', 'ana');
  await incident.result();
});

test('anything not signed by the desk, old, from a stranger, or about something else is refused and recorded', async () => {
  const incident = await lab.start([alertOf()]);
  const asked = await incident.question();
  const wrong = [
    await remarkOn(asked, 'next', {}, outsiderKey),
    { ...(await remarkOn(asked, 'next')), signature: '' },
    await remarkOn(asked, 'next', { at: '2026-01-01T00:00:00Z' }),
    await remarkOn(asked, 'next', { person: 'mallory' }),
    await remarkOn(asked, 'next', { person: 'lea' }),
    await remarkOn(asked, 'comment', { person: 'eve', text: 'x' }),
    await remarkOn(asked, 'next', { incident: { ...asked.question.incident, run: 'another' } }),
  ];
  for (const junk of [null, {}, 'next', { remark: null }]) await say(incident, junk);
  for (const remark of wrong) await say(incident, remark);
  await incident.until(() => heard(incident, 'remark.refused').length === wrong.length, 'the refusals');
  expect(mainQuestion(await incident.state())).toMatchObject({ level: 0, status: { state: 'open' } });
  await incident.vote('remove', 'ana');
  await incident.result();
});
