import { describe, expect, test } from '@jest/globals';
import {
  captureProcesses,
  checkpointContainer,
  cutConnections,
  killProcess,
  quarantinePod,
} from '../../../core/actions/index.ts';
import { type AnyPlaybook, definePlaybook } from '../../../core/playbook/playbook.ts';
import { playbooks as shipped } from '../../../playbooks/index.ts';
import { playbookProblems, quorumProblems } from '../../../service/config/playbook-problems.ts';
import { configSchema } from '../../../service/config/schema.ts';

/** Slack as configured; here it only matters that there is one. */
const { slack } = configSchema.parse({
  cluster: 'lab',
  intake: { tokens: [{ name: 'falco', token: { env: 'FALCO_TOKEN' } }] },
  roster: { people: [{ id: 'ada', name: 'Ada' }], groups: { oncall: ['ada'] } },
  slack: { botToken: { env: 'B' }, signingSecrets: [{ env: 'S' }], channel: 'C01', appId: 'A01', teamId: 'T01' },
});

const people = [
  { id: 'ada', name: 'Ada', slack: ['U01ADA'] },
  { id: 'grace', name: 'Grace', keys: ['grace.pem.pub'] },
  { id: 'tom', name: 'Tom' },
];

function fileWith(sections: object) {
  return configSchema.parse({
    cluster: 'lab',
    intake: { tokens: [{ name: 'falco', token: { env: 'FALCO_TOKEN' } }] },
    roster: { people, groups: { oncall: ['ada'], leads: ['grace'] } },
    ...sections,
  });
}

function playbook(id: string, more: Partial<AnyPlaybook> = {}): AnyPlaybook {
  const on = { match: { rule: 'A rule' }, minSeverity: 'critical' as const, requires: [] };
  return definePlaybook({ id, title: `The playbook ${id}`, on, uses: { quarantinePod }, ...more }, async () => undefined);
}

const toolsImage = `images.internal/firebreak-tools@sha256:${'0'.repeat(64)}`;

describe('is refused, with its place and a remedy', () => {
  const rows: readonly (readonly [string, object, readonly AnyPlaybook[], string, string])[] = [
    [
      'an unknown playbook',
      { playbooks: { enabled: ['contain-it'] } },
      [playbook('contain-its')],
      'playbooks.enabled.0',
      'Did you mean contain-its?',
    ],
    [
      'a playbook that is listed twice',
      { playbooks: { enabled: ['a', 'a'] } },
      [playbook('a')],
      'playbooks.enabled.1',
      'Remove one',
    ],
    ['two playbooks with one id', {}, [playbook('a'), playbook('b'), playbook('a')], 'playbooks', 'another id'],
    [
      'a change window for an unknown playbook',
      {
        guardrails: {
          changeWindows: [{ name: 'w', timeZone: 'UTC', playbooks: ['b'], open: [{ from: '09:00', until: '16:00' }] }],
        },
      },
      [playbook('a')],
      'guardrails.changeWindows.0.playbooks.0',
      'Did you mean a?',
    ],
    [
      'a playbook that asks a group missing from the roster',
      {},
      [playbook('a', { levels: [{ group: 'security', within: '15m' }] })],
      'roster.groups',
      'Add it to roster.groups (it has: oncall, leads)',
    ],
    [
      'a lease level with a group missing from the roster',
      { incidents: { levels: [{ group: 'oncal', withinMinutes: 5 }] } },
      [playbook('a')],
      'incidents.levels.0.group',
      'Did you mean oncall?',
    ],
    [
      'a steward group missing from the roster',
      { evidence: { stewards: ['records'] } },
      [playbook('a')],
      'evidence.stewards.0',
      'Name one of',
    ],
    [
      'an action without its tools image',
      {},
      [playbook('a', { uses: { killProcess } })],
      'playbooks.enabled',
      'forensics.toolsImage',
    ],
    [
      'an action that is turned on without its tools image',
      { actions: { optIn: ['cutConnections'] } },
      [playbook('a')],
      'actions.optIn.0',
      'forensics.toolsImage',
    ],
    [
      'a playbook that uses an action nobody turned on',
      { forensics: { toolsImage } },
      [playbook('a', { uses: { cutConnections } })],
      'actions.optIn',
      'Add cutConnections to actions.optIn',
    ],
  ];
  test.each(rows)('%s', (_name, sections, playbooks, place, remedy) => {
    expect(playbookProblems(fileWith(sections), playbooks).map((one) => ({ ...one, at: one.at.join('.') }))).toMatchObject([
      { at: place, problem: expect.any(String), remedy: expect.stringContaining(remedy) },
    ]);
  });
});

test('the shipped playbooks have no problems, and a disabled playbook is not checked', () => {
  expect(playbookProblems(fileWith({}))).toEqual([]);
  expect(quorumProblemsOf(fileWith({}))).toEqual([]);
  const off = playbook('off', { levels: [{ group: 'nobody', within: '15m' }], uses: { killProcess } });
  expect(playbookProblems(fileWith({ playbooks: { enabled: ['on'] } }), [playbook('on'), off])).toEqual([]);
  expect(playbookProblems(fileWith({ forensics: { toolsImage } }), [playbook('a', { uses: { killProcess } })])).toEqual([]);
});

test('a Slack id cannot answer if Slack is not configured', () => {
  const file = fileWith({ roster: { people: [people[0], people[1]], groups: { oncall: ['ada', 'grace'], leads: ['grace'] } } });
  const asked = [playbook('a', { levels: [{ group: 'oncall', within: '15m' }] })];
  expect(quorumProblemsOf(file, asked)).toEqual([]);
  const without = quorumProblems({ ...file, slack: undefined, roster: rosterOf(file) }, asked);
  expect(without).toMatchObject([
    {
      problem: expect.stringMatching(/^only grace can answer in leads and oncall, /),
      remedy: expect.stringContaining('or configure Slack'),
    },
    { problem: expect.stringMatching(/^only grace can answer in oncall, .*: asked by a$/) },
  ]);
});

function rosterOf(file: ReturnType<typeof fileWith>) {
  return {
    people: file.roster.people.map(({ slack: slackIds, ...person }) => ({ ...person, slackIds })),
    groups: file.roster.groups,
  };
}

function quorumProblemsOf(file: ReturnType<typeof fileWith>, playbooks: readonly AnyPlaybook[] = shipped) {
  return quorumProblems({ ...file, slack, roster: rosterOf(file) }, playbooks);
}

describe('questions that can never be answered as required are reported', () => {
  const levels = [
    { group: 'oncall', within: '15m' as const },
    { group: 'leads', within: '1h' as const },
  ];
  test.each([
    ['one person in all groups', { oncall: ['ada'], leads: ['ada'] }, 'only ada can answer in leads and oncall'],
    ['a second person with neither a key nor a Slack id', { oncall: ['ada'], leads: ['tom'] }, 'only ada can answer'],
    ['nobody able to answer', { oncall: ['tom'], leads: ['tom'] }, 'nobody can answer'],
  ])('%s', (_name, groups, problem) => {
    const found = quorumProblemsOf(fileWith({ roster: { people, groups } }), [
      playbook('a', { levels }),
      playbook('b', { levels }),
    ]);
    // Reported once for all that ask the same groups.
    expect(found).toEqual([{ at: ['roster', 'groups'], problem: expect.stringContaining(problem), remedy: expect.any(String) }]);
    expect(found[0]?.problem).toMatch(/asked about leases, by a, by b$/);
  });

  test('a playbook that asks a group of one person while others ask two', () => {
    const narrow = playbook('narrow', { levels: [{ group: 'oncall', within: '15m' }] });
    expect(quorumProblemsOf(fileWith({}), [narrow, playbook('a', { levels })])).toMatchObject([
      { problem: expect.stringMatching(/^only ada can answer in oncall, .*: asked by narrow$/) },
    ]);
  });
});

test('evidence that cannot be collected with this configuration does not block a playbook', () => {
  const keeps = playbook('keeps', { uses: { captureProcesses, checkpointContainer } });
  expect(playbookProblems(fileWith({}), [keeps])).toEqual([]);
  expect(playbookProblems(fileWith({ actions: { optIn: ['checkpointContainer'] } }), [keeps])).toMatchObject([
    { problem: expect.stringContaining('checkpointContainer is turned on'), remedy: expect.stringContaining('toolsImage') },
  ]);
});
