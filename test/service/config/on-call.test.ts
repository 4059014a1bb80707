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
  test('is read by the wall clock of the schedule, and a delegation by that of its person', () => {
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

  test('without a schedule is the whole group, as before', () => {
    const { roster } = loadConfig({ path: write(''), env: {} });
    expect(roster.schedules).toBeUndefined();
    expect(answerersOf(roster, 'oncall', 0).map(({ person }) => person)).toEqual(['ana', 'ben']);
  });
});

describe('what is wrong is named with its place and what to do', () => {
  const schedule = (text: string): string => `\n  schedules:\n    oncall: { timeZone: UTC, ${text} }`;
  test.each([
    [
      'a time zone that is none',
      '\n  schedules:\n    oncall: { timeZone: Europe/Atlantis, rotations: [{ people: [ana], from: 2026-03-02 }] }',
      /^roster\.schedules\.oncall\.timeZone: not an IANA time zone\. Write its name/,
    ],
    [
      'a group that is none',
      '\n  schedules:\n    night: { timeZone: UTC, rotations: [{ people: [ana], from: 2026-03-02 }] }',
      /^roster\.schedules\.night: there is no such group\. Name a group: oncall, leads\./,
    ],
    [
      'a schedule of nobody',
      schedule('rotations: []'),
      /^roster\.schedules\.oncall: it never puts anybody on call\. Add a rotation/,
    ],
    [
      'a turn of a stranger',
      schedule('rotations: [{ people: [ana, lea], from: 2026-03-02 }]'),
      /^roster\.schedules\.oncall\.rotations\[0\]\.people\[1\]: lea is not in the group oncall.*Add lea to/,
    ],
    [
      'a day that is on no calendar',
      schedule('rotations: [{ people: [ana], from: 2026-02-30 }]'),
      /^roster\.schedules\.oncall\.rotations\[0\]\.from: not a wall-clock time\. Write/,
    ],
    [
      'a turn that begins in UTC',
      schedule('rotations: [{ people: [ana], from: 2026-03-02T09:00Z }]'),
      /rotations\[0\]\.from: not a wall-clock time/,
    ],
    [
      'an override that ends before it begins',
      schedule('overrides: [{ person: ana, from: 2026-03-02, until: 2026-03-01 }]'),
      /overrides\[0\]\.until: its end is not after its beginning\. Correct/,
    ],
    [
      'an override in place of a stranger',
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
      'to nobody',
      handed(from('ana', 'eve')),
      /^roster\.delegations\[0\]\.to: eve is not the id of anyone in people\. Name one of: ana, ben, lea\./,
    ],
    ['to oneself', handed(from('ana', 'ana')), /^roster\.delegations\[0\]\.to: a right cannot be handed to oneself/],
    [
      'to two at once',
      handed(from('ana', 'ben', 1, 4), from('ana', 'lea', 3, 5)),
      /^roster\.delegations\[1\]\.from: ana has already handed the right over/,
    ],
    [
      'to somebody who is away',
      handed(from('ana', 'ben', 1, 4), from('ben', 'lea', 3, 5)),
      /^roster\.delegations\[0\]\.to: ben has also handed the right over.*such as lea/,
    ],
  ])('a right handed %s', (_what, rest, expected) => {
    expect(problems(rest)).toEqual([expect.stringMatching(expected)]);
  });

  test('rights that are handed on one after the other are right', () => {
    expect(problems(handed(from('ana', 'ben', 1, 3), from('ana', 'lea', 3, 5), from('ben', 'lea', 4, 5)))).toEqual([]);
  });

  test('a key that two people have', () => {
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
  ])('an outside schedule of the group %s that finds nobody', (group, expected) => {
    const pagerduty = `{ routingKey: { env: A }, onCall: { token: { env: B }, schedules: { ${group}: PI7DH85 } } }`;
    expect(problems(`\npaging: { pagerduty: ${pagerduty} }`)).toEqual([
      `paging.pagerduty.onCall.schedules.${group}: ${expected}`,
    ]);
  });
});

describe('a user group of Slack', () => {
  const slack = (group: string, userGroup = 'S0123456789') =>
    `\nslack: { appId: A01, teamId: T01, channel: C01, botToken: { env: B }, signingSecrets: [{ env: S }], userGroups: { ${group}: ${userGroup} } }`;
  const listed = people.replace('name: Ben', 'name: Ben, slack: [U02]');

  test('narrows a group of the roster', () => {
    expect(loadConfig({ path: write(slack('oncall'), listed), env: {} }).slack?.userGroups).toEqual({ oncall: 'S0123456789' });
  });

  test('is refused by name, for a group that there is not, and where nobody of the group is in Slack', () => {
    expect(problems(slack('oncall', 'oncall-team'), listed)[0]).toMatch(/slack.userGroups.oncall: not a Slack user group id/);
    expect(problems(slack('night'), listed)).toEqual([
      'slack.userGroups.night: there is no such group. Name a group: oncall, leads.',
    ]);
    expect(problems(slack('oncall'))).toEqual([
      'slack.userGroups.oncall: nobody in the group oncall has a Slack id. Add slack: [ID] to the people of the group.',
    ]);
  });
});

describe('the identity provider of the widest steps', () => {
  const stepUp = (issuer: string, publicUrl = 'https://firebreak.example.com/') =>
    `stepUp: { issuer: '${issuer}', clientId: firebreak, publicUrl: '${publicUrl}' }\n`;
  const known = people.replace('name: Ben', 'name: Ben, subject: sub-ben');

  test('knows people by their subject, and is asked about what acts wide', () => {
    const config = loadConfig({ path: write(stepUp('https://login.example.com'), known), env: {} });
    expect(config.stepUp).toMatchObject({
      publicUrl: 'https://firebreak.example.com',
      reaches: ['namespace', 'node', 'cluster'],
      maxAgeMinutes: 5,
    });
    expect(config.roster.people.find(({ id }) => id === 'ben')).toMatchObject({ subject: 'sub-ben' });
  });

  test('knows at least one, each by a subject of their own', () => {
    expect(problems(stepUp('https://login.example.com'))).toEqual([
      expect.stringContaining('stepUp: nobody in the roster is known to the identity provider'),
    ]);
    expect(problems('', known.replace('name: Lea', 'name: Lea, subject: sub-ben'))).toEqual([
      expect.stringContaining('the subject sub-ben belongs to more than one person'),
    ]);
  });

  test('is reached over TLS, but for one on this machine', () => {
    expect(problems(stepUp('http://login.example.com'), known)).toEqual([expect.stringContaining('https is needed')]);
    expect(problems(stepUp('http://127.0.0.1.example.com'), known)).toHaveLength(1);
    expect(problems(stepUp('https://login.example.com', 'http://firebreak.example.com'), known)).toHaveLength(1);
    expect(problems(stepUp('http://127.0.0.1:9000', 'http://localhost:8766'), known)).toEqual([]);
  });
});

test('the command line has a client of its own at the provider: one whose tokens prove answers is refused', () => {
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
