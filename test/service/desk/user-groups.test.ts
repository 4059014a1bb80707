import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { Roster } from '../../../core/people/roster.ts';
import { createUserGroups } from '../../../integrations/slack/user-groups.ts';
import { createClickVotes } from '../../../service/desk/click-votes.ts';
import { bothDuties, type OutsideDuty } from '../../../service/desk/on-call.ts';
import { followUserGroups } from '../../../service/desk/user-groups.ts';
import { type SlackEmulator, startSlackEmulator } from '../../fakes/slack/index.ts';
import { appId, botToken, channel, channels, incident, signingSecret, teamId, users } from '../../integrations/slack/fixture.ts';

const begun = Date.parse('2026-03-02T08:00:00Z');
const minute = 60_000;
const roster: Roster = {
  people: [
    { id: 'ada', name: 'Ada', slackIds: ['U0ADA'], keys: [] },
    { id: 'grace', name: 'Grace', slackIds: ['U0GRACE'], keys: [] },
    { id: 'lea', name: 'Lea', slackIds: ['U0LEA'], keys: [] },
  ],
  groups: { oncall: ['ada', 'grace'], leads: ['grace', 'lea'] },
  delegations: [{ person: 'grace', to: 'lea', from: begun + 60 * minute, until: begun + 120 * minute }],
};

let slack: SlackEmulator;
let now = begun;
const warnings: object[] = [];
const log = { warn: (facts: object) => void warnings.push(facts) } as never;
const stops: (() => void)[] = [];
beforeEach(async () => {
  slack = await startSlackEmulator({
    signingSecret,
    botToken,
    appId,
    teamId,
    users,
    channels,
    userGroups: { S0ONCALL: ['U0GRACE'] },
  });
  now = begun;
  warnings.length = 0;
});
afterEach(async () => {
  for (const stop of stops.splice(0)) stop();
  await slack.stop();
});

async function follow(userGroup = 'S0ONCALL') {
  const read = createUserGroups({ botToken, apiUrl: slack.apiUrl, timeoutMs: 2_000 });
  const duty = followUserGroups({ roster, userGroups: { oncall: userGroup }, read, log, now: () => now });
  stops.push(duty.stop);
  await duty.refresh();
  return duty;
}

/** What somebody who clicks is told; undefined: their vote would be accepted. */
async function refusal(duty: OutsideDuty | undefined, slackUser: string, groups = ['oncall']): Promise<string | undefined> {
  const signer = { keyId: 'k', sign: async () => '' } as never;
  const replies = { remember: async () => undefined };
  const votes = createClickVotes({
    roster,
    duty,
    signer,
    client: () => undefined,
    replies,
    refused: () => {},
    now: () => new Date(now),
  });
  const asked = { question: 'q', questionDigest: 'd', choice: 'keep', label: 'Keep it', groups, requester: 'engine' };
  const button = { buttonId: 'b', incident: { id: incident.id, run: incident.run }, ...asked };
  return (await votes.mayAnswer({ clickId: 'c', slackUser, button, channel })).refusal;
}

describe('a Slack user group that a roster group is bound to', () => {
  test('lets only those in both answer, and adds nobody to the roster', async () => {
    slack.world.userGroups.set('S0ONCALL', ['U0GRACE', 'U0MALLORY', 'U0LEA']);
    const duty = await follow();
    expect(await refusal(duty, 'U0GRACE')).toBeUndefined();
    expect(await refusal(duty, 'U0ADA')).toMatch(/in the user group in Slack/);
    expect(await refusal(duty, 'U0MALLORY')).toMatch(/not on the roster/);
    expect(await refusal(duty, 'U0LEA')).toMatch(/Only oncall may answer/);
  });

  test('limits no other group', async () => {
    const duty = await follow();
    expect(await refusal(duty, 'U0LEA', ['leads'])).toBeUndefined();
    expect(await refusal(duty, 'U0ADA', ['leads'])).toMatch(/^Only leads may answer this, while they are on call\. /);
  });

  test('applies to the person with the right, not to their stand-in', async () => {
    const duty = await follow();
    now = begun + 61 * minute;
    await duty.refresh();
    expect(await refusal(duty, 'U0LEA')).toBeUndefined();
    slack.world.userGroups.set('S0ONCALL', ['U0LEA']);
    await duty.refresh();
    expect(await refusal(duty, 'U0LEA')).toMatch(/user group/);
  });

  test('no longer lets those answer who were removed from it', async () => {
    const duty = await follow();
    slack.world.userGroups.set('S0ONCALL', ['U0ADA']);
    await duty.refresh();
    expect(await refusal(duty, 'U0GRACE')).toMatch(/user group/);
    expect(await refusal(duty, 'U0ADA')).toBeUndefined();
  });

  test('stays valid for fifteen minutes while Slack is unreachable, and then lets nobody answer there', async () => {
    const duty = await follow();
    slack.fail('usergroups.users.list', { status: 503, times: 9 });
    now = begun + 15 * minute;
    await duty.refresh();
    expect(await refusal(duty, 'U0GRACE')).toBeUndefined();
    now += 1;
    expect(await refusal(duty, 'U0GRACE')).toMatch(/could not ask Slack .* or answer at the command line/);
    expect(warnings).toMatchObject([{ group: 'oncall', ageSeconds: 900 }]);
  });

  test.each(['hang', 'fail', 'unknown group', 'missing scope'])(
    'never read (%s), lets nobody answer: doubt means no',
    async (fault) => {
      if (fault === 'hang') slack.hang('usergroups.users.list', 2_000, 2);
      if (fault === 'fail') slack.fail('usergroups.users.list', { status: 500, times: 2 });
      if (fault === 'missing scope') slack.fail('usergroups.users.list', { error: 'missing_scope', times: 2 });
      const duty = await follow(fault === 'unknown group' ? 'S0NOBODY' : 'S0ONCALL');
      expect(await refusal(duty, 'U0GRACE')).toMatch(/could not ask Slack/);
      expect(JSON.stringify(warnings)).not.toContain(botToken);
    },
  );

  test('narrows an outside on-call further: both have to agree', async () => {
    const onCall: OutsideDuty = { isOnCall: (person) => person === 'ada', stop: () => {} };
    const both = bothDuties(onCall, await follow());
    expect(await refusal(both, 'U0GRACE')).toBeDefined();
    slack.world.userGroups.set('S0ONCALL', ['U0ADA']);
    expect(await refusal(bothDuties(onCall, await follow()), 'U0ADA')).toBeUndefined();
    expect(bothDuties(undefined, onCall)).toBe(onCall);
  });
});
