import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { QuestionCard } from '../../../core/cards/card.ts';
import { channel, incident, questionCard, type Rig, startRig } from './fixture.ts';

const accounts = ['U0ADA', 'U0GRACE'];
const level = { group: 'oncall', until: '2026-03-01T14:17:11Z', next: 'leads', number: 1, accounts } as const;
const asked = (card: QuestionCard) => ({ card, groups: ['oncall', 'leads'], requester: 'engine' });
const about = (name: string, severity: QuestionCard['incident']['severity'] = 'high') =>
  questionCard({
    questionId: `question-${name}`,
    text: `Is ${name} expected?`,
    incident: { ...incident, id: `${incident.id}-${name}`, severity },
    level,
  });

let rig: Rig;
let clock = Date.parse('2026-03-01T14:02:12Z');
beforeEach(async () => {
  rig = await startRig({ now: () => clock });
});
afterEach(() => rig.stop());

/** Texts of the messages in the channel that have notified this person, in their order. */
const pushesTo = (user: string): readonly string[] =>
  rig.slack.world.messages
    .filter((message) => message.channel === channel && message.notified?.includes(user))
    .map(({ blocks }) => JSON.stringify(blocks));
const directTo = (user: string): readonly string[] =>
  rig.slack.channelMessages(`D${user.slice(1)}`).map(({ blocks }) => JSON.stringify(blocks));

test('a question notifies those who are asked, once, and an edit of its card notifies nobody', async () => {
  const card = about('one');
  await rig.desk.postQuestion(asked(card));
  await rig.desk.updateQuestion({ card: { ...card, happened: { ...card.happened, count: 9 } } });
  expect(pushesTo('U0ADA')).toHaveLength(1);
  expect(pushesTo('U0GRACE')).toHaveLength(1);
  expect(pushesTo('U0MALLORY')).toEqual([]);
});

test('in a storm a person is notified once in five minutes, and at once of something worse', async () => {
  for (const name of ['one', 'two', 'three'])
    await rig.desk.postQuestion(asked({ ...about(name), text: `Another question: ${name}?` }));
  expect(pushesTo('U0ADA')).toHaveLength(1);
  await rig.desk.postQuestion(asked({ ...about('four', 'critical'), text: 'Worse?' }));
  expect(pushesTo('U0ADA')).toHaveLength(2);
  clock += 6 * 60_000;
  await rig.desk.postQuestion(asked({ ...about('five'), text: 'Later?' }));
  expect(pushesTo('U0ADA')).toHaveLength(3);
});

test('the next level is notified in the channel, once', async () => {
  const card = about('one');
  await rig.desk.postQuestion(asked(card));
  const next = { ...card, level: { group: 'leads', until: '2026-03-01T14:32:11Z', number: 2, accounts: ['U0MALLORY'] } };
  await rig.desk.updateQuestion({ card: next });
  await rig.desk.updateQuestion({ card: next });
  expect(pushesTo('U0MALLORY')).toEqual([expect.stringContaining('leads is asked now: Is one expected?')]);
  const [broadcast] = rig.slack.world.messages.filter(({ inChannel }) => inChannel);
  expect(broadcast).toMatchObject({ channel, notified: ['U0MALLORY'] });
});

test('the second of two is told that one has answered', async () => {
  const card = about('one');
  await rig.desk.postQuestion(asked(card));
  const vote = { person: 'Ada', choice: 'release', at: '2026-03-01T14:05:00Z' };
  const voted = { ...card, votes: [vote], level: { ...level, accounts: ['U0GRACE'] } };
  await rig.desk.updateQuestion({ card: voted });
  await rig.desk.updateQuestion({ card: voted });
  expect(pushesTo('U0GRACE')).toHaveLength(2);
  expect(pushesTo('U0GRACE')[1]).toContain('Ada answered “Yes: release pod”. One more person has to agree.');
  expect(pushesTo('U0ADA')).toHaveLength(1);
});

describe('direct messages', () => {
  const toLeads = { group: 'leads', until: '2026-03-01T14:32:11Z', number: 2, accounts: ['U0MALLORY'] } as const;

  test('go once to each who is notified, with a link to the card', async () => {
    const card = about('one');
    await rig.desk.postQuestion(asked(card));
    await rig.desk.postQuestion(asked(card));
    expect(directTo('U0ADA')).toEqual([expect.stringMatching(/Is one expected\?.*\|Open the card>/)]);
    expect(directTo('U0GRACE')).toHaveLength(1);
    expect(directTo('U0MALLORY')).toEqual([]);
    await rig.desk.updateQuestion({ card: { ...card, level: toLeads } });
    await rig.desk.updateQuestion({ card: { ...card, level: toLeads } });
    expect(directTo('U0MALLORY')).toEqual([expect.stringContaining('leads is asked now')]);
    expect(directTo('U0ADA')).toHaveLength(1);
  });

  test('ask whom an alert names what they are doing, once, also if they are named later', async () => {
    const card = about('one');
    await rig.desk.postQuestion(asked(card));
    await rig.desk.updateQuestion({ card: { ...card, actors: ['U0MALLORY'] } });
    await rig.desk.updateQuestion({ card: { ...card, actors: ['U0MALLORY'], text: card.text } });
    expect(directTo('U0MALLORY')).toEqual([expect.stringMatching(/Was it you\?.*\|Open the card>/)]);
    await rig.desk.postQuestion(asked({ ...about('two'), text: 'And two?', actors: ['U0GRACE'] }));
    expect(directTo('U0GRACE').at(-1)).toContain('Was it you?');
    expect(pushesTo('U0MALLORY')).toEqual([]);
  });

  test('are as few in a storm as mentions', async () => {
    for (const name of ['one', 'two', 'three'])
      await rig.desk.postQuestion(asked({ ...about(name), text: `Another question: ${name}?` }));
    expect(directTo('U0ADA')).toHaveLength(1);
  });

  test.each(['missing_scope', 'user_disabled', 'fatal_error'])('that Slack refuses (%s) keep no card back', async (error) => {
    rig.slack.fail('conversations.open', { error, times: 9 });
    await rig.desk.postQuestion(asked(about('one')));
    expect(pushesTo('U0ADA')).toHaveLength(1);
    expect(directTo('U0ADA')).toEqual([]);
  });

  test('without the scope are not tried for each person', async () => {
    rig.slack.fail('conversations.open', { error: 'missing_scope', times: 9 });
    await rig.desk.postQuestion(asked(about('one')));
    await rig.desk.postQuestion(asked(about('two', 'critical')));
    expect(rig.slack.calls.filter(({ method }) => method === 'conversations.open')).toHaveLength(1);
    clock += 11 * 60_000;
    await rig.desk.postQuestion(asked({ ...about('three'), text: 'Now?' }));
    expect(rig.slack.calls.filter(({ method }) => method === 'conversations.open')).toHaveLength(2);
  });

  test('carry no markup of an attacker', async () => {
    await rig.desk.postQuestion(asked({ ...about('one'), text: 'Is <!channel> <https://evil.example|ok> *expected*?' }));
    expect(directTo('U0ADA')[0]).not.toMatch(/<!channel>|<https:\/\/evil|\*expected/);
  });
});

test('what is no account is no mention', async () => {
  await rig.desk.postQuestion(asked({ ...about('one'), level: { ...level, accounts: ['channel>', '!here', 'U0ADA'] } }));
  expect(JSON.stringify(rig.slack.channelMessages(channel))).not.toContain('channel>');
  expect(pushesTo('U0ADA')).toHaveLength(1);
});
