import { afterAll, expect, test } from '@jest/globals';
import { Context } from '@temporalio/activity';
import { MockActivityEnvironment } from '@temporalio/testing';
import { withHeartbeats } from '../../../activities/heartbeat.ts';
import type { FollowUpActivities } from '../../../core/action/step.ts';
import { testPlatform } from '../../platform.ts';
import { alertOf } from '../../workflows/people.ts';
import { useRealLab } from './use-real-lab.ts';

let letGo = () => {};
const lost = new Promise<void>((resolve) => {
  letGo = resolve;
});

/** The first desk that receives it never responds again. */
const followUp: FollowUpActivities = {
  callPeople: async () => {
    if (Context.current().info.attempt === 1) await lost;
  },
  updateTicket: async () => undefined,
  endPage: async () => undefined,
  ticketNews: async () => [],
};

const platform = await testPlatform();
// Before the lab is stopped, which waits for what it has begun.
afterAll(() => letGo());
const { lab } = useRealLab(platform, { others: followUp });

test('people are paged by the next desk within seconds if the first is lost in the middle of it', async () => {
  const incident = await lab.start([alertOf()], {
    followUp: { tickets: false, pages: true },
    levels: [{ group: 'oncall', withinMs: 900_000, page: true }],
  });
  await incident.until((state) => state.timeline.some(({ kind }) => kind === 'page.sent'), 'the call');
  const { events = [] } = await lab.env.client.workflow.getHandle(incident.id).fetchHistory();
  const ofTheDesk = ['postQuestion', 'callPeople', 'recordAudit'];
  const scheduled = (events ?? []).flatMap(({ activityTaskScheduledEventAttributes: one }) => (one ? [one] : []));
  const timeouts = new Map(
    scheduled.map(({ activityType, heartbeatTimeout }) => [activityType?.name, heartbeatTimeout?.seconds]),
  );
  for (const name of ofTheDesk) expect([name, Number(timeouts.get(name))]).toEqual([name, 5]);
  await lab.env.client.workflow.getHandle(incident.id).terminate();
});

test('a desk that waits says every second that it is alive, until it has answered', async () => {
  const beats: unknown[] = [];
  const environment = new MockActivityEnvironment();
  environment.on('heartbeat', (details: unknown) => beats.push(details));
  const slow = withHeartbeats({
    post: (text: string) => new Promise<string>((resolve) => setTimeout(resolve, 1_200, `${text}!`)),
  });
  expect(await environment.run(slow.post, 'card')).toBe('card!');
  expect(beats).toHaveLength(1);
});
