import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { answerersOf } from '../../../core/people/roster.ts';
import { checkConfig, loadConfig } from '../../../service/config/load.ts';

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'firebreak-on-call-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const people = `
    - { id: ana, name: Ana, timeZone: America/New_York }
    - { id: ben, name: Ben }
    - { id: lea, name: Lea }`;

function write(rest: string, listed = people): string {
  const path = join(folder, 'firebreak.yaml');
  const head = 'cluster: lab\nintake:\n  tokens: [{ name: falco, token: { env: FALCO_TOKEN } }]\n';
  writeFileSync(path, `${head}roster:\n  people:${listed}\n  groups: { oncall: [ana, ben], leads: [lea, ben] }\n${rest}`);
  return path;
}

/** Returns path, problem and remedy of everything that is wrong. */
function problems(rest: string, listed = people): readonly string[] {
  const checked = checkConfig({ path: write(rest, listed), env: {} });
  return checked.ok ? [] : checked.problems.map(({ path, problem, remedy }) => `${path}: ${problem}. ${remedy}`);
}

const weekly = `
  schedules:
    oncall:
      timeZone: Europe/Berlin
      rotations: [{ people: [ana, ben], from: 2026-03-02T09:00 }]
      entries: [{ person: ben, from: 2026-03-05T20:00, until: 2026-03-05T21:00Z }]
      overrides: [{ person: ben, replaces: ana, from: 2026-03-03, until: 2026-03-04 }]`;
const away = `
  delegations: [{ person: ana, to: lea, from: 2026-03-06T00:00, until: 2026-03-07T00:00 }]`;

describe('who is on call', () => {
  test('follows the time zone of the schedule, and a delegation that of its person', () => {
    const { roster } = loadConfig({ path: write(weekly + away), env: {} });
    const who = (time: string) => answerersOf(roster, 'oncall', Date.parse(time)).map(({ person }) => person);
    expect(who('2026-03-02T07:59:59Z')).toEqual([]);
    expect(who('2026-03-02T08:00:00Z')).toEqual(['ana']);
    expect(who('2026-03-02T23:00:00Z')).toEqual(['ben']);
    expect(who('2026-03-05T19:00:00Z')).toEqual(['ana', 'ben']);
    expect(who('2026-03-05T21:00:00Z')).toEqual(['ana']);
    expect(who('2026-03-06T04:59:59Z')).toEqual(['ana']);
    expect(who('2026-03-06T05:00:00Z')).toEqual(['lea']);
    expect(who('2026-03-30T07:00:00Z')).toEqual(['ana']);
  });

  test('is the whole group without a schedule', () => {
    const { roster } = loadConfig({ path: write(''), env: {} });
    expect(roster.schedules).toBeUndefined();
    expect(answerersOf(roster, 'oncall', 0).map(({ person }) => person)).toEqual(['ana', 'ben']);
  });
});

describe('a problem is reported with its place and remedy', () => {
  const schedule = (text: string): string => `\n  schedules:\n    oncall: { timeZone: UTC, ${text} }`;
  test.each([
    [
      'an invalid time zone',
      '\n  schedules:\n    oncall: { timeZone: Europe/Atlantis, rotations: [{ people: [ana], from: 2026-03-02 }] }',
      /^roster\.schedules\.oncall\.timeZone: not an IANA time zone\. Write its name/,
    ],
    [
      'an unknown group',
      '\n  schedules:\n    night: { timeZone: UTC, rotations: [{ people: [ana], from: 2026-03-02 }] }',
      /^roster\.schedules\.night: there is no such group\. Name a group: oncall, leads\./,
    ],
    [
      'an empty schedule',
      schedule('rotations: []'),
      /^roster\.schedules\.oncall: it never puts anybody on call\. Add a rotation/,
    ],
    [
      'a rotation with somebody outside the group',
      schedule('rotations: [{ people: [ana, lea], from: 2026-03-02 }]'),
      /^roster\.schedules\.oncall\.rotations\[0\]\.people\[1\]: lea is not in the group oncall.*Add lea to/,
    ],
    [
      'a day that does not exist',
      schedule('rotations: [{ people: [ana], from: 2026-02-30 }]'),
      /^roster\.schedules\.oncall\.rotations\[0\]\.from: not a wall-clock time\. Write/,
    ],
    [
      'a rotation that starts at a UTC time',
      schedule('rotations: [{ people: [ana], from: 2026-03-02T09:00Z }]'),
      /rotations\[0\]\.from: not a wall-clock time/,
    ],
    [
      'an override that ends before it begins',
      schedule('overrides: [{ person: ana, from: 2026-03-02, until: 2026-03-01 }]'),
      /overrides\[0\]\.until: its end is not after its beginning\. Correct/,
    ],
    [
      'an override that replaces somebody outside the group',
      schedule('overrides: [{ person: ana, replaces: eve, from: 2026-03-01, until: 2026-03-02 }]'),
      /overrides\[0\]\.replaces: eve is not in the group/,
    ],
  ])('%s', (_what, rest, expected) => {
    expect(problems(rest)).toEqual([expect.stringMatching(expected)]);
  });

  const handed = (...list: readonly string[]): string => `\n  delegations: [${list.join(', ')}]`;
  const from = (person: string, to: string, first = 1, last = 2): string =>
    `{ person: ${person}, to: ${to}, from: 2026-03-0${first}, until: 2026-03-0${last} }`;
  test.each([
    [
      'to an unknown person',
      handed(from('ana', 'eve')),
      /^roster\.delegations\[0\]\.to: eve is not the id of anyone in people\. Name one of: ana, ben, lea\./,
    ],
    ['to oneself', handed(from('ana', 'ana')), /^roster\.delegations\[0\]\.to: a right cannot be handed to oneself/],
    [
      'to two people at once',
      handed(from('ana', 'ben', 1, 4), from('ana', 'lea', 3, 5)),
      /^roster\.delegations\[1\]\.from: ana has already handed the right over/,
    ],
    [
      'to somebody who has handed it on',
      handed(from('ana', 'ben', 1, 4), from('ben', 'lea', 3, 5)),
      /^roster\.delegations\[0\]\.to: ben has also handed the right over.*such as lea/,
    ],
  ])('a right handed over %s', (_what, rest, expected) => {
    expect(problems(rest)).toEqual([expect.stringMatching(expected)]);
  });

  test('rights handed over one after another are no problem', () => {
    expect(problems(handed(from('ana', 'ben', 1, 3), from('ana', 'lea', 3, 5), from('ben', 'lea', 4, 5)))).toEqual([]);
  });

  test('a key that belongs to two people', () => {
    const pem = generateKeyPairSync('ed25519').publicKey.export({ type: 'spki', format: 'pem' }).toString();
    writeFileSync(join(folder, 'key.pem'), pem);
    const both = `\n    - { id: ana, name: Ana, keys: [key.pem] }\n    - { id: ben, name: Ben, keys: [${JSON.stringify(pem)}] }\n    - { id: lea, name: Lea }`;
    expect(problems('', both)).toEqual([
      'roster.people[1].keys[0]: this key also belongs to ana. Each person needs a key of their own.',
    ]);
  });

  test.each([
    ['night', 'there is no such group. Name a group: oncall, leads.'],
    ['oncall', 'nobody in the group oncall has a PagerDuty id. Add pagerduty: ID to the people of the group in roster.people.'],
  ])('an external schedule for the group %s that matches nobody', (group, expected) => {
    const pagerduty = `{ routingKey: { env: A }, onCall: { token: { env: B }, schedules: { ${group}: PI7DH85 } } }`;
    expect(problems(`\npaging: { pagerduty: ${pagerduty} }`)).toEqual([
      `paging.pagerduty.onCall.schedules.${group}: ${expected}`,
    ]);
  });
});

describe('a Slack user group', () => {
  const slack = (group: string, userGroup = 'S0123456789') =>
    `\nslack: { appId: A01, teamId: T01, channel: C01, botToken: { env: B }, signingSecrets: [{ env: S }], userGroups: { ${group}: ${userGroup} } }`;
  const listed = people.replace('name: Ben', 'name: Ben, slack: [U02]');

  test('narrows a group of the roster', () => {
    expect(loadConfig({ path: write(slack('oncall'), listed), env: {} }).slack?.userGroups).toEqual({ oncall: 'S0123456789' });
  });

  test('is refused if given by name, for an unknown group, or if nobody in the group is in Slack', () => {
    expect(problems(slack('oncall', 'oncall-team'), listed)[0]).toMatch(/slack.userGroups.oncall: not a Slack user group id/);
    expect(problems(slack('night'), listed)).toEqual([
      'slack.userGroups.night: there is no such group. Name a group: oncall, leads.',
    ]);
    expect(problems(slack('oncall'))).toEqual([
      'slack.userGroups.oncall: nobody in the group oncall has a Slack id. Add slack: [ID] to the people of the group.',
    ]);
  });
});

describe('the identity provider for the widest steps', () => {
  const stepUp = (issuer: string, publicUrl = 'https://firebreak.example.com/') =>
    `stepUp: { issuer: '${issuer}', clientId: firebreak, publicUrl: '${publicUrl}' }\n`;
  const known = people.replace('name: Ben', 'name: Ben, subject: sub-ben');

  test('knows people by their subject, and is asked for wide-reaching actions', () => {
    const config = loadConfig({ path: write(stepUp('https://login.example.com'), known), env: {} });
    expect(config.stepUp).toMatchObject({
      publicUrl: 'https://firebreak.example.com',
      reaches: ['namespace', 'node', 'cluster'],
      maxAgeMinutes: 5,
    });
    expect(config.roster.people.find(({ id }) => id === 'ben')).toMatchObject({ subject: 'sub-ben' });
  });

  test('must know at least one person, each by a unique subject', () => {
    expect(problems(stepUp('https://login.example.com'))).toEqual([
      expect.stringContaining('stepUp: nobody in the roster is known to the identity provider'),
    ]);
    expect(problems('', known.replace('name: Lea', 'name: Lea, subject: sub-ben'))).toEqual([
      expect.stringContaining('the subject sub-ben belongs to more than one person'),
    ]);
  });

  test('is reached over TLS unless it is on this machine', () => {
    expect(problems(stepUp('http://login.example.com'), known)).toEqual([expect.stringContaining('https is needed')]);
    expect(problems(stepUp('http://127.0.0.1.example.com'), known)).toHaveLength(1);
    expect(problems(stepUp('https://login.example.com', 'http://firebreak.example.com'), known)).toHaveLength(1);
    expect(problems(stepUp('http://127.0.0.1:9000', 'http://localhost:8766'), known)).toEqual([]);
  });
});

test('the command line needs its own client at the provider, not the one whose tokens prove answers', () => {
  const own = 'ana, subject: s1';
  const listed = people.replace('ana,', `${own},`);
  const step = "stepUp: { issuer: 'https://login.example.com', clientId: firebreak, publicUrl: 'https://f.example.com' }";
  const consoleOf = (clientId: string): string =>
    `${step}\nconsole: { roles: { viewer: [all] }, commandLine: { clientId: ${clientId} } }\n`;
  expect(problems(consoleOf('firebreak-cli'), listed)).toEqual([]);
  expect(problems(consoleOf('firebreak'), listed)).toEqual([
    'console.commandLine.clientId: this is the client of stepUp, whose tokens prove answers. Register another client at the provider: public, with the device authorization grant.',
  ]);
});
