import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, test } from '@jest/globals';
import { FirebreakError } from '../../../core/errors.ts';
import type { Ticket, TicketSystem } from '../../../core/tickets/ticket.ts';
import { memoryInProcess } from '../../../integrations/referenced-tickets.ts';
import { cancelledAnswers } from '../../fakes/servicenow/server.ts';
import { request, type Stage, stages } from './systems.ts';

const signal = new AbortController().signal;
const running: Stage[] = [];
afterEach(async () => {
  for (const { fake } of running.splice(0)) await fake.stop();
});

async function stageOf(name: string): Promise<Stage> {
  const stage = await stages[name]?.();
  if (!stage) throw new Error('no such stage');
  running.push(stage);
  return stage;
}

async function untilDone(work: () => Promise<unknown>): Promise<void> {
  for (let attempt = 0; attempt < 40; attempt += 1) {
    try {
      await work();
      return;
    } catch (error) {
      if (!(error instanceof FirebreakError && error.retryable)) throw error;
    }
    await sleep(50);
  }
  throw new Error('tried in vain');
}

async function live(system: TicketSystem): Promise<void> {
  let ticket: Ticket = { state: 'ambiguous' };
  await untilDone(async () => {
    ticket = await system.open(request, signal);
    if (ticket.state === 'ambiguous') throw new FirebreakError('FB_ERR_UNAVAILABLE', 'to be looked for again');
  });
  const { id = '' } = ticket;
  await untilDone(() => system.comment({ id, key: 'c1', text: 'contained' }, signal));
  await untilDone(() => system.close({ id, reason: 'completed', openedUnder: request.key }, signal));
}

const page = '<!doctype html><title>Sign in to continue</title>';
/** Answers with 200 that are not what was asked for. */
const answers: readonly (readonly [string, string, unknown])[] = [
  ['jira', 'a proxy’s page', page],
  ['jira', 'an empty object', {}],
  ['servicenow', 'a proxy’s page (or that of an instance that hibernates)', page],
  ['servicenow', 'an empty object', {}],
  ...Object.entries(cancelledAnswers).map(([what, body]) => ['servicenow', `a cancelled transaction, ${what}`, body] as const),
];

describe('whichever call is answered with 200 and', () => {
  test.each(answers)('%s: %s, is not believed: one ticket, one comment, closed', async (name, _what, body) => {
    const clean = await stageOf(name);
    await live(clean.connect(memoryInProcess()));
    const calls = clean.fake.calls.length;
    await Promise.all(
      Array.from({ length: calls }, async (_, at) => {
        const stage = await stageOf(name);
        for (const method of ['GET', 'POST', 'PATCH'])
          stage.fake.inject({ method, path: /./, what: 'fail', at, status: 200, body });
        await live(stage.connect(memoryInProcess()));
        expect([at, stage.open(), stage.closed(), stage.comments().length]).toEqual([at, 0, 1, 1]);
      }),
    );
  });
});

describe('a refusal', () => {
  test('of Jira names the fields, and nothing that was sent or answered', async () => {
    const stage = await stageOf('jira');
    const errors = { customfield_10042: 'bad value pa55word', 'Authorization: Basic x': 'x' };
    stage.fake.inject({ method: 'POST', path: /\/issue$/, what: 'fail', status: 400, body: { errorMessages: [], errors } });
    await expect(stage.connect(memoryInProcess()).open(request, signal)).rejects.toMatchObject({
      code: 'FB_ERR_REFUSED',
      detail:
        'Jira answered POST /rest/api/3/issue with HTTP 400: the content is not accepted: check tickets.jira against the screen of the issue type (field customfield_10042)',
    });
  });

  test('of a site that has moved says where to configure its new address', async () => {
    const stage = await stageOf('servicenow');
    const headers = { location: 'https://elsewhere.example.com/' };
    stage.fake.inject({ method: 'GET', path: /./, what: 'fail', status: 302, headers, body: page });
    await expect(stage.connect(memoryInProcess()).open(request, signal)).rejects.toMatchObject({
      code: 'FB_ERR_REFUSED',
      detail: expect.stringContaining('it has moved: set its new address in the configuration'),
    });
  });
});
