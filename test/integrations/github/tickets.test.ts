import { afterEach, describe, expect, test } from '@jest/globals';
import { FirebreakError, RetryLaterError } from '../../../core/errors.ts';
import type { TicketRequest } from '../../../core/tickets/ticket.ts';
import { createGithubTickets, type GithubTicketsOptions } from '../../../integrations/github/tickets.ts';
import { limitAnswer } from '../../fakes/github/api.ts';
import { shownText } from '../../fakes/github/page.ts';
import { type GithubFake, startGithubFake } from '../../fakes/github/server.ts';
import { skippedTime } from '../tickets/skipped-time.ts';

const repository = 'acme/incidents';
const token = 'ghp_not_a_real_token';
const request: TicketRequest = {
  key: 'incident/lab/shop/Deployment/cart/run-1/file-ticket/pod:1/openTicket/1',
  incident: { id: 'incident/lab/shop/Deployment/cart', run: 'run-1' },
  title: 'cart read /etc/shadow',
  body: 'What happened, and what was done.',
  labels: ['high'],
};
const signal = new AbortController().signal;

/** The id of a run, as Temporal makes it. */
function runBegunAt(at: number): string {
  return `${at
    .toString(16)
    .padStart(12, '0')
    .replace(/^(.{8})/, '$1-')}-7abc-8def-0123456789ab`;
}

let fakes: GithubFake[] = [];
afterEach(async () => {
  await Promise.all(fakes.map((fake) => fake.stop()));
  fakes = [];
});

async function github(options: Partial<Parameters<typeof startGithubFake>[0]> = {}): Promise<GithubFake> {
  const fake = await startGithubFake({ repository, token, ...options });
  fakes.push(fake);
  return fake;
}

function tickets(fake: GithubFake, options: Partial<GithubTicketsOptions> = {}) {
  return createGithubTickets({ repository, token, apiUrl: fake.url, timeoutMs: 3_000, time: skippedTime(), ...options });
}

/** Where a call hangs, which lasts this long. */
const soonGivenUp = { timeoutMs: 1_000 };

async function faultOf(promise: Promise<unknown>): Promise<FirebreakError> {
  const error: unknown = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (error instanceof FirebreakError) return error;
  throw new Error(`expected a FirebreakError, got ${String(error)}`);
}

describe('opening a ticket', () => {
  test('creates an issue with label and hidden marker, and confirms it', async () => {
    const fake = await github();
    const ticket = await tickets(fake).open(request, signal);
    expect(ticket).toEqual({ state: 'created', id: '1', url: `${fake.page}#1` });
    expect(fake.store.labels()).toEqual(['firebreak', 'high']);
    expect(fake.store.get(1)?.body).toMatch(/^<!-- firebreak:[0-9a-f]{64} -->\n/);
    expect(fake.calls.at(-1)).toBe('GET /repos/acme/incidents/issues/1');
  });

  test('finds it again, even from a new process and when closed', async () => {
    const fake = await github();
    await tickets(fake).open(request, signal);
    await tickets(fake).close({ id: '1', reason: 'completed' }, signal);
    expect(await tickets(fake).open(request, signal)).toMatchObject({ state: 'existing', id: '1' });
    expect(await tickets(fake).open({ ...request, key: 'other' }, signal)).toMatchObject({ state: 'created', id: '2' });
    expect(fake.store.all()).toHaveLength(2);
  });

  test('finds it even several pages down', async () => {
    const fake = await github();
    await tickets(fake).open(request, signal);
    for (let index = 0; index < 250; index++) fake.store.create({ title: 'x', body: 'y', labels: ['firebreak'] });
    expect(await tickets(fake).open(request, signal)).toMatchObject({ state: 'existing', id: '1' });
    expect(fake.store.all()).toHaveLength(251);
  });

  test('reads no further back than its incident: a repository may have thousands of older tickets', async () => {
    const fake = await github();
    const old = Date.now() - 3_600_000;
    for (let index = 0; index < 950; index++)
      fake.store.change(fake.store.create({ title: 'x', body: 'y', labels: ['firebreak'] }), { createdAt: old });
    const incident = { ...request.incident, run: runBegunAt(Date.now()) };
    const lists = () => fake.calls.filter((call) => call === 'GET /repos/acme/incidents/issues').length;
    expect(await tickets(fake).open({ ...request, incident }, signal)).toMatchObject({ state: 'created', id: '951' });
    expect(lists()).toBe(1);
    // From another process, which knows of none.
    expect(await tickets(fake).open({ ...request, incident }, signal)).toMatchObject({ state: 'existing', id: '951' });
    // If nobody knows when the incident began, all are searched.
    await tickets(fake).open({ ...request, key: 'other' }, signal);
    expect(lists()).toBeGreaterThan(10);
  });

  describe('while many incidents begin', () => {
    const begun = (serial: number, at = Date.now()): TicketRequest => ({
      ...request,
      key: `ticket/${serial}`,
      incident: { id: `incident/lab/shop/Deployment/${serial}`, run: runBegunAt(at) },
    });
    const lists = (fake: GithubFake) => fake.calls.filter((call) => call === 'GET /repos/acme/incidents/issues').length;

    test('reads what came since, and not again all of their tickets', async () => {
      const fake = await github();
      const minutesAgo = (minutes: number): number => Date.now() - minutes * 60_000;
      // A hundred a minute.
      for (let serial = 0; serial < 950; serial++) {
        const createdAt = minutesAgo((950 - serial) / 100);
        fake.store.change(fake.store.create({ title: 'x', body: 'y', labels: ['firebreak'] }), { createdAt });
      }
      const system = tickets(fake);
      await system.open(begun(1), signal);
      expect(lists(fake)).toBe(10);
      for (const serial of [2, 3, 4]) expect(await system.open(begun(serial), signal)).toMatchObject({ state: 'created' });
      // Two minutes of them, fewer the slower this machine is.
      const before = lists(fake);
      expect(before).toBeLessThanOrEqual(10 + 3 * 3);
      // Of an incident that began before those: what is not known is read.
      await system.open(begun(5, minutesAgo(60)), signal);
      expect(lists(fake)).toBe(before + 10);
    });

    test('finds what another process has opened, seen in the list before or created since', async () => {
      const fake = await github();
      const system = tickets(fake, { settleMs: 0 });
      const other = tickets(fake);
      await other.open(begun(1), signal);
      await system.open(begun(2), signal);
      await other.open(begun(3), signal);
      expect(await system.open(begun(1), signal)).toMatchObject({ state: 'existing', id: '1' });
      expect(await system.open(begun(3), signal)).toMatchObject({ state: 'existing', id: '3' });
      expect(fake.store.all()).toHaveLength(3);
    });

    test('takes one that has lost its marker for none, and one that comes late into the list for what it is', async () => {
      let late: number | undefined = 1;
      const fake = await github({ isListed: ({ number }) => number !== late });
      const system = tickets(fake);
      await tickets(fake).open(begun(1), signal);
      await system.open(begun(2), signal);
      late = undefined;
      expect(await system.open(begun(1), signal)).toMatchObject({ state: 'existing', id: '1' });
      await tickets(fake).open(begun(4), signal);
      await system.open(begun(5), signal);
      const edited = fake.store.get(3);
      if (edited) fake.store.change(edited, { body: 'edited by hand' });
      expect(await system.open(begun(4), signal)).toMatchObject({ state: 'created', id: '5' });
    });
  });

  test('creates one issue for two concurrent calls', async () => {
    const fake = await github();
    const system = tickets(fake);
    const opened = await Promise.all([system.open(request, signal), system.open(request, signal)]);
    expect(opened.map((ticket) => ticket.id)).toEqual(['1', '1']);
    expect(fake.store.all()).toHaveLength(1);
  });

  test('closes the duplicate that two processes created at the same moment, and keeps the first', async () => {
    let isBehind = true;
    const fake = await github({ isListed: () => !isBehind });
    await Promise.all([tickets(fake).open(request, signal), tickets(fake).open(request, signal)]);
    expect(fake.store.all()).toHaveLength(2);
    isBehind = false;
    expect(await tickets(fake).open(request, signal)).toMatchObject({ state: 'existing', id: '1' });
    expect(fake.store.all().map(({ number, state }) => `${number} ${state}`)).toEqual(['2 closed', '1 open']);
  });
});

test('title and body follow the configuration', async () => {
  const fake = await github();
  await tickets(fake, { fields: { title: '[{{cluster}}] {{title}}', body: '{{workload}}: {{body}}' } }).open(request, signal);
  expect(fake.store.get(1)?.title).toBe('[lab] cart read /etc/shadow');
  expect(shownText(fake.store.get(1)?.body ?? '')).toContain('deployment/cart: What happened');
});

test('closing also closes duplicates created since', async () => {
  let isBehind = true;
  const fake = await github({ isListed: () => !isBehind });
  await Promise.all([tickets(fake).open(request, signal), tickets(fake).open(request, signal)]);
  isBehind = false;
  await tickets(fake).close({ id: '1', reason: 'completed', openedUnder: request.key }, signal);
  expect(fake.store.all().map(({ stateReason }) => stateReason)).toEqual(['not_planned', 'completed']);
});

describe('a lost answer', () => {
  test.each(['then-hang', 'then-reset'] as const)(
    'after the issue was created (%s): it is found, and there is only one',
    async (what) => {
      const fake = await github();
      fake.inject({ method: 'POST', path: /\/issues$/, what });
      expect(await tickets(fake, soonGivenUp).open(request, signal)).toMatchObject({ state: 'created', id: '1' });
      expect(fake.store.all()).toHaveLength(1);
    },
  );

  test('while the list lags behind: ambiguous, looked for again, never created twice', async () => {
    let isBehind = true;
    const fake = await github({ isListed: () => !isBehind });
    const system = tickets(fake);
    fake.inject({ method: 'POST', path: /\/issues$/, what: 'then-reset' });
    expect(await system.open(request, signal)).toEqual({ state: 'ambiguous' });
    expect(await system.open(request, signal)).toEqual({ state: 'ambiguous' });
    isBehind = false;
    expect(await system.open(request, signal)).toMatchObject({ state: 'existing', id: '1' });
    expect(fake.store.all()).toHaveLength(1);
  });

  test('before the issue was created: ambiguous at first, created once the list has had time to catch up', async () => {
    const fake = await github();
    const time = skippedTime();
    const system = tickets(fake, { ...soonGivenUp, settleMs: 2_500, time });
    fake.inject({ method: 'POST', path: /\/issues$/, what: 'hang' });
    expect(await system.open(request, signal)).toEqual({ state: 'ambiguous' });
    expect(fake.store.all()).toHaveLength(0);
    await time.wait(1_000, signal);
    expect(await system.open(request, signal)).toMatchObject({ state: 'created', id: '1' });
  });

  test('to the confirmation: the next call confirms the same issue, although the list does not show it', async () => {
    const fake = await github({ isListed: () => false });
    const system = tickets(fake, soonGivenUp);
    fake.inject({ method: 'GET', path: /\/issues\/1$/, what: 'hang' });
    expect((await faultOf(system.open(request, signal))).code).toBe('FB_ERR_UNAVAILABLE');
    expect(await system.open(request, signal)).toMatchObject({ state: 'existing', id: '1' });
    expect(fake.store.all()).toHaveLength(1);
  });
});

describe('what is refused', () => {
  test('a public repository, before anything is written', async () => {
    const fake = await github({ private: false });
    expect((await faultOf(tickets(fake).open(request, signal))).code).toBe('FB_ERR_REFUSED');
    expect(fake.store.all()).toHaveLength(0);
  });

  test('a token that may not set labels, before anything is written', async () => {
    const fake = await github({ push: false });
    expect((await faultOf(tickets(fake).open(request, signal))).detail).toContain('labels');
    expect(fake.store.all()).toHaveLength(0);
  });

  test('a wrong token and a missing repository; the error contains no token', async () => {
    const fake = await github();
    const wrong = await faultOf(tickets(fake, { token: 'ghp_wrong_one' }).open(request, signal));
    expect(wrong.code).toBe('FB_ERR_REFUSED');
    expect(JSON.stringify([wrong.message, wrong.stack, wrong.cause])).not.toMatch(/ghp_|Bearer|Bad credentials/);
    expect((await faultOf(tickets(fake, { repository: 'acme/none' }).open(request, signal))).code).toBe('FB_ERR_NOT_FOUND');
  });

  test('content that GitHub does not accept, naming the field', async () => {
    const fake = await github();
    const body = {
      message: 'Validation Failed',
      errors: [{ resource: 'Label', field: 'name', code: 'invalid', value: 'pa55word' }],
    };
    fake.inject({ method: 'POST', path: /\/issues$/, what: 'fail', status: 422, body });
    const fault = await faultOf(tickets(fake).open(request, signal));
    expect([fault.code, fault.retryable]).toEqual(['FB_ERR_REFUSED', false]);
    expect(fault.detail).toContain('does not accept the content (field name)');
    expect(fault.detail).not.toContain('pa55word');
  });

  test.each([
    [{ issuesOff: true }, 'FB_ERR_REFUSED', 'issues are switched off'],
    [{ archived: true }, 'FB_ERR_REFUSED', 'archived'],
    [{ movedTo: 'acme/other' }, 'FB_ERR_REFUSED', 'set tickets.github.repository to its new name'],
  ] as const)('a repository with %j, saying what to do', async (options, code, why) => {
    const fault = await faultOf(tickets(await github(options)).open(request, signal));
    expect([fault.code, fault.retryable]).toEqual([code, false]);
    expect(fault.detail).toContain(why);
  });

  test('a comment and a closing if the repository has changed since: the message names what is wrong', async () => {
    const off = await github({ issuesOff: true });
    expect((await faultOf(tickets(off).close({ id: '1', reason: 'completed' }, signal))).detail).toContain(
      'issues are switched off',
    );
    const moved = await github({ movedTo: 'acme/other' });
    expect((await faultOf(tickets(moved).close({ id: '1', reason: 'completed' }, signal))).detail).toContain('has moved');
  });

  test('a proxy’s page instead of an answer: looked for again, and one issue', async () => {
    const fake = await github();
    fake.inject({ method: 'POST', path: /\/issues$/, what: 'fail', status: 200, body: '<!doctype html>' });
    expect((await tickets(fake, { settleMs: 0 }).open(request, signal)).state).toBe('ambiguous');
    fake.inject({ method: 'GET', path: /\/issues$/, what: 'fail', status: 200, body: '<!doctype html>' });
    expect((await faultOf(tickets(fake).open(request, signal))).retryable).toBe(true);
    expect(await tickets(fake).open(request, signal)).toMatchObject({ state: 'created' });
  });
});

describe('limits', () => {
  test.each([
    [429, { 'retry-after': '7' }, 7_000],
    [403, { 'retry-after': '3' }, 3_000],
    [429, {}, 60_000],
  ])('HTTP %i with %o says when to retry', async (status, headers, expected) => {
    const fake = await github();
    fake.inject({ method: 'POST', path: /\/issues$/, what: 'fail', status, headers });
    const fault = await faultOf(tickets(fake).open(request, signal));
    expect(fault).toBeInstanceOf(RetryLaterError);
    expect(fault instanceof RetryLaterError && fault.retryAfterMs).toBe(expected);
  });

  test('a used-up quota waits until its reset', async () => {
    const fake = await github();
    const reset = String(Math.floor(Date.now() / 1_000) + 100);
    fake.inject({
      method: 'GET',
      path: /\/issues$/,
      what: 'fail',
      status: 403,
      headers: { 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': reset },
    });
    const fault = await faultOf(tickets(fake).open(request, signal));
    expect(fault instanceof RetryLaterError && fault.retryAfterMs).toBeGreaterThan(95_000);
  });

  test.each([
    ['primary', 119_000, 120_000],
    ['secondary', 60_000, 60_000],
    ['secondary without a time', 60_000, 60_000],
  ] as const)(
    'the wait that GitHub asks for at its %s limit is kept, and the ticket is created after it',
    async (which, least, most) => {
      const fake = await github();
      fake.inject({ method: 'POST', path: /\/issues$/, what: 'fail', ...limitAnswer(which) });
      const fault = await faultOf(tickets(fake).open(request, signal));
      const wait = fault instanceof RetryLaterError ? fault.retryAfterMs : 0;
      expect([wait >= least - 1_000, wait <= most + 1_000]).toEqual([true, true]);
      expect(await tickets(fake).open(request, signal)).toMatchObject({ state: 'created' });
      expect(fake.store.all()).toHaveLength(1);
    },
  );

  test('a plain 403 is not a rate limit', async () => {
    const fake = await github();
    fake.inject({ method: 'POST', path: /\/issues$/, what: 'fail', status: 403 });
    expect((await faultOf(tickets(fake).open(request, signal))).code).toBe('FB_ERR_REFUSED');
  });

  test('a server fault before the create is retried by the caller', async () => {
    const fake = await github();
    fake.inject({ method: 'GET', path: /\/issues$/, what: 'fail', status: 502 });
    expect((await faultOf(tickets(fake).open(request, signal))).retryable).toBe(true);
    expect(await tickets(fake).open(request, signal)).toMatchObject({ state: 'created' });
  });
});

describe('comments and closing', () => {
  test('a comment is written once, even when its answer is lost', async () => {
    const fake = await github();
    const system = tickets(fake, soonGivenUp);
    await system.open(request, signal);
    fake.inject({ method: 'POST', path: /\/comments$/, what: 'then-hang' });
    const comment = { id: '1', key: 'closing', text: 'benign, said Ada' };
    expect((await faultOf(system.comment(comment, signal))).retryable).toBe(true);
    await system.comment(comment, signal);
    await system.comment({ ...comment, key: 'second' }, signal);
    expect(fake.store.get(1)?.comments.map((one) => shownText(one.body))).toEqual(['benign, said Ada', 'benign, said Ada']);
  });

  test('closing says why; a non-numeric id is not sent', async () => {
    const fake = await github();
    const system = tickets(fake);
    await system.open(request, signal);
    await system.close({ id: '1', reason: 'not_planned' }, signal);
    expect(fake.store.get(1)).toMatchObject({ state: 'closed', stateReason: 'not_planned' });
    expect((await faultOf(system.close({ id: '../../../user', reason: 'completed' }, signal))).code).toBe('FB_ERR_NOT_FOUND');
    expect(fake.calls.some((call) => call.includes('/user'))).toBe(false);
  });
});
