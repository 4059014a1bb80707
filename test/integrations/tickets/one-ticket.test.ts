import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, test } from '@jest/globals';
import { FirebreakError } from '../../../core/errors.ts';
import type { TicketMemory } from '../../../core/tickets/one-ticket.ts';
import { redactedTickets, type Ticket, type TicketSystem } from '../../../core/tickets/ticket.ts';
import { openDatabase } from '../../../integrations/database/database.ts';
import type { Database } from '../../../integrations/database/queries.ts';
import { createTicketMemory } from '../../../integrations/database/ticket-memory.ts';
import { memoryInProcess } from '../../../integrations/referenced-tickets.ts';
import type { Injection } from '../../fakes/rest/server.ts';
import { request, type Stage, stages } from './systems.ts';

const signal = new AbortController().signal;
const running: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const stop of running.splice(0)) await stop();
});

async function stageOf(name: string): Promise<Stage> {
  const stage = await (stages[name] ?? fail)();
  running.push(() => stage.fake.stop());
  return stage;
}

function fail(): never {
  throw new Error('no such stage');
}

/** A memory that outlives the process, as at the desk. */
async function durable(): Promise<TicketMemory> {
  const database: Database = await openDatabase({
    url: `sqlite:${join(mkdtempSync(join(tmpdir(), 'firebreak-tickets-')), 'desk.db')}`,
  });
  running.push(() => database.close());
  return createTicketMemory(database);
}

/** As the engine calls it: repeatedly, each time as a new process if `connect` makes one. */
async function untilDone<T>(connect: () => TicketSystem, work: (system: TicketSystem) => Promise<T>): Promise<T> {
  for (let attempt = 0; attempt < 40; attempt += 1) {
    try {
      const result = await work(connect());
      if (!isAmbiguous(result)) return result;
    } catch (error) {
      if (!(error instanceof FirebreakError && error.retryable)) throw error;
    }
    await sleep(50);
  }
  throw new Error('tried in vain');
}

function isAmbiguous(result: unknown): boolean {
  return typeof result === 'object' && result !== null && 'state' in result && result.state === 'ambiguous';
}

/** The whole life of a ticket. */
async function live(connect: () => TicketSystem): Promise<void> {
  const ticket = await untilDone(connect, (system) => system.open(request, signal));
  const id = ticket.id ?? '';
  await untilDone(connect, (system) => system.comment({ id, key: 'c1', text: 'contained' }, signal));
  const closing = { id, reason: 'completed', text: 'Verdict: true_positive.', openedUnder: request.key } as const;
  await untilDone(connect, (system) => system.close(closing, signal));
}

const faults: readonly Injection['what'][] = ['hang', 'then-hang', 'then-reset', 'fail'];

describe.each(Object.keys(stages))('%s', (name) => {
  test('opens, finds again, comments once and closes once', async () => {
    const stage = await stageOf(name);
    const memory = memoryInProcess();
    const first = await stage.connect(memory).open(request, signal);
    expect(first).toMatchObject({ state: 'created' });
    const again: Ticket = await stage.connect(memory).open(request, signal);
    expect(again.id).toBe(first.id);
    for (let time = 0; time < 3; time += 1)
      await stage.connect(memory).comment({ id: first.id ?? '', key: 'c1', text: 'contained' }, signal);
    for (let time = 0; time < 3; time += 1)
      await stage.connect(memory).close({ id: first.id ?? '', reason: 'completed', text: 'Verdict: true_positive.' }, signal);
    expect([stage.open(), stage.closed(), stage.comments().length]).toEqual([0, 1, 1]);
  });

  test('creates one ticket for many concurrent calls in one process', async () => {
    const stage = await stageOf(name);
    const system = stage.connect(memoryInProcess());
    await Promise.all(Array.from({ length: 5 }, () => system.open(request, signal)));
    expect(stage.open()).toBe(1);
  });

  test('whichever call hangs, fails or is done without an answer, and the process is killed each time: one ticket, closed', async () => {
    const clean = await stageOf(name);
    const known = await durable();
    await live(() => clean.connect(known));
    const calls = clean.fake.calls.length;
    expect(calls).toBeGreaterThanOrEqual(3);
    for (const what of faults) {
      await Promise.all(
        Array.from({ length: calls }, async (_, at) => {
          const stage = await stageOf(name);
          const memory = await durable();
          for (const method of ['GET', 'POST', 'PATCH'])
            stage.fake.inject({ method, path: /./, what, at, ...(what === 'fail' ? { status: 503 } : {}) });
          await live(() => stage.connect(memory, 200));
          expect([what, at, stage.open(), stage.closed(), stage.comments().length]).toEqual([what, at, 0, 1, 1]);
        }),
      );
    }
  });

  test('429 says when to retry, and nothing is done', async () => {
    const stage = await stageOf(name);
    for (const method of ['GET', 'POST'])
      stage.fake.inject({ method, path: /./, what: 'fail', status: 429, headers: { 'retry-after': '7' } });
    await expect(stage.connect(memoryInProcess()).open(request, signal)).rejects.toMatchObject({
      code: 'FB_ERR_UNAVAILABLE',
      retryAfterMs: 7_000,
    });
    expect(stage.open()).toBe(0);
  });

  test('a refusal is final and contains no answer, header or credential', async () => {
    const stage = await stageOf(name);
    for (const method of ['GET', 'POST']) stage.fake.inject({ method, path: /./, what: 'fail', status: 403 });
    const error: unknown = await stage
      .connect(memoryInProcess())
      .open(request, signal)
      .catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'FB_ERR_REFUSED', retryable: false });
    expect(JSON.stringify([String(error), error instanceof Error && error.stack])).not.toMatch(
      /Injected|jira-token|snow-password|webhook-secret|Basic |v1=/,
    );
  });

  test('shows an attacker’s text as text, without secrets', async () => {
    const stage = await stageOf(name);
    const system = redactedTickets(stage.connect(memoryInProcess()));
    const evil = 'curl -H "Authorization: Bearer abc.def-123456" <b>[code]<img src=x>[/code] {{incident}} \u202egpj.exe @all';
    const { id = '' } = await system.open({ ...request, title: `${evil}\n\n${'x'.repeat(400)}`, body: evil }, signal);
    await system.comment({ id, key: 'evil', text: evil }, signal);
    const page = await (await fetch(`${stage.fake.url}/`)).text();
    expect(page).not.toContain('abc.def-123456');
    expect(page).toContain('[redacted:');
    expect(page).toContain('\\u{202e}'.replace('\\', name === 'webhook' ? '\\\\' : '\\'));
    expect(page).toContain('{{incident}}');
    if (name === 'servicenow') expect(page).not.toMatch(/\[code\]/);
  });
});
