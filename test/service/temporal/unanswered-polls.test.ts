import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from '@jest/globals';
import { UnansweredPolls } from '../../../service/temporal/unanswered-polls.ts';

interface Line {
  readonly level: 'info' | 'error';
  readonly fields: object;
  readonly message: string;
}

const said = (): { readonly lines: Line[]; readonly log: ConstructorParameters<typeof UnansweredPolls>[0]['log'] } => {
  const lines: Line[] = [];
  return {
    lines,
    log: {
      info: (fields, message) => void lines.push({ level: 'info', fields, message }),
      error: (fields, message) => void lines.push({ level: 'error', fields, message }),
    },
  };
};
/** The line as the core writes it. */
const poll = (attempt: number, code = 'Unavailable') => ({
  message: `gRPC call poll_workflow_task_queue retried ${attempt} times`,
  error: `Status { code: ${code}, message: "tcp connect error", metadata: MetadataMap { headers: {"x-token": "secret"} } }`,
});

test('an outage of ten minutes is a handful of lines at growing intervals, whatever each poll says about it', () => {
  const { lines, log } = said();
  let now = 0;
  const polls = new UnansweredPolls({ log, answers: async () => false, now: () => now });
  for (let attempt = 6; now < 600_000; now += 10_000, attempt += 1) {
    for (let poller = 0; poller < 20; poller += 1) expect(polls.takes(poll(attempt))).toBe(true);
  }
  expect(lines.map(({ fields }) => fields)).toEqual([
    { source: 'temporal', code: 'Unavailable', times: 1, forSeconds: 0 },
    { source: 'temporal', code: 'Unavailable', times: 121, forSeconds: 60 },
    { source: 'temporal', code: 'Unavailable', times: 361, forSeconds: 180 },
    { source: 'temporal', code: 'Unavailable', times: 841, forSeconds: 420 },
  ]);
  expect(JSON.stringify(lines)).not.toContain('secret');
});

test('another code is logged at once: it is another problem', () => {
  const { lines, log } = said();
  const polls = new UnansweredPolls({ log, answers: async () => false, now: () => 0 });
  for (const code of ['Unavailable', 'Unavailable', 'PermissionDenied', 'Unavailable', 'PermissionDenied'])
    polls.takes(poll(16, code));
  expect(lines.map(({ fields }) => fields)).toMatchObject([{ code: 'Unavailable' }, { code: 'PermissionDenied' }]);
});

test.each([
  'Activity failed',
  'gRPC call respond_activity_task_completed retried 16 times',
  'Error while auto-completing workflow task',
  'gRPC call poll_workflow_task_queue retried 16 times, and more',
])('%p is another error, and stays in the log', (message) => {
  const { lines, log } = said();
  const polls = new UnansweredPolls({ log, answers: async () => true });
  expect(polls.takes({ message })).toBe(false);
  expect(lines).toEqual([]);
});

test('the end is logged once, as soon as Temporal answers and no poll is refused any more', async () => {
  const { lines, log } = said();
  let isThere = false;
  let now = 0;
  const polls = new UnansweredPolls({ log, answers: async () => isThere, now: () => now, lookEveryMs: 5, quietMs: 1_000 });
  polls.takes(poll(6));
  now = 30_000;
  polls.takes(poll(9));
  await sleep(40);
  now = 32_000;
  await sleep(40);
  expect(lines).toHaveLength(1);
  isThere = true;
  while (lines.length < 2) await sleep(5);
  expect(lines[1]).toEqual({
    level: 'info',
    fields: { source: 'temporal', forSeconds: 30 },
    message: 'Temporal answers the workers again',
  });
  await sleep(40);
  expect(lines).toHaveLength(2);
  polls.takes(poll(6));
  expect(lines[2]).toMatchObject({ level: 'error', fields: { times: 1, forSeconds: 0 } });
});

test('it is not over while Temporal answers but still refuses polls', async () => {
  const { lines, log } = said();
  let now = 0;
  const polls = new UnansweredPolls({ log, answers: async () => true, now: () => now, lookEveryMs: 2, quietMs: 1_000 });
  for (let attempt = 6; attempt < 12; attempt += 1) {
    polls.takes(poll(attempt, 'ResourceExhausted'));
    await sleep(10);
    now += 900;
  }
  expect(lines).toHaveLength(1);
});
