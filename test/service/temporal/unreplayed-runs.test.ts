import { expect, test } from '@jest/globals';
import { UnreplayedRuns } from '../../../service/temporal/unreplayed-runs.ts';

/** The line as the core writes it; `test/platform/temporal/changed-keys.test.ts` gets it from the core itself. */
const line = (runId: string, cause = 'NonDeterministicError') => ({
  target: 'temporalio_sdk_core::worker::workflow',
  runId,
  failure: `Failure { failure: Some(Failure { message: "secret" }), force_cause: ${cause} }`,
});

function heard() {
  const lines: object[] = [];
  let now = 0;
  const log = { error: (fields: object, message: string) => void lines.push({ ...fields, message }) };
  const runs = new UnreplayedRuns({ log, nameOf: (run) => (run === 'a' ? 'incident/a' : undefined), now: () => now });
  return { lines, runs, pass: (ms: number) => (now += ms) };
}

test('each run is reported once, with what to do, and again at growing intervals', () => {
  const { lines, runs, pass } = heard();
  for (let at = 0; at < 600_000; at += 10_000) {
    expect(runs.takes(line('a'))).toBe(true);
    pass(10_000);
  }
  runs.takes(line('b'));
  expect(lines).toMatchObject([
    { run: 'a', incident: 'incident/a', times: 1, message: expect.stringContaining('restore the keys') },
    { run: 'a', times: 7 },
    { run: 'a', times: 19 },
    { run: 'a', times: 43 },
    { run: 'b', times: 1 },
  ]);
  expect(JSON.stringify(lines)).not.toContain('secret');
});

test.each([
  ['a task that failed for another reason', line('a', 'Unspecified')],
  ['a line from another component', { ...line('a'), target: 'temporalio_client::retry' }],
  ['a line without a run', { ...line('a'), runId: undefined }],
])('%s is not reported', (_what, meta) => {
  const { lines, runs } = heard();
  expect(runs.takes(meta)).toBe(false);
  expect(lines).toEqual([]);
});
