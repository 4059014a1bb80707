import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from '@jest/globals';
import type { Client } from '@temporalio/client';
import type { DurableValues } from '../../../../activities/memory/memory.ts';
import { StartMemory } from '../../../../activities/memory/start-memory.ts';
import { isIntakeReport } from '../../../../core/alert/intake-report.ts';
import { createBox } from '../../../../integrations/crypto-box/box.ts';
import { OpenBook, type OpenIncident } from '../../../../service/cell/open/open-book.ts';
import { OpenIncidents } from '../../../../service/cell/open/open-incidents.ts';
import { RunWatch } from '../../../../service/cell/open/run-watch.ts';
import { DurableMemory } from '../../../../service/cell/pools/durable-memory.ts';
import { createLog } from '../../../../service/process/log.ts';
import { eventually } from '../../../eventually.ts';
import { alertOf, batchOf } from '../../../workflows/people.ts';
import { testCodecKeys } from '../../../workflows/speakers.ts';

const folder = mkdtempSync(join(tmpdir(), 'firebreak-open-book-'));
const log = createLog({ log: { level: 'fatal', format: 'json' } });
let memory = new DurableMemory(folder, log);
afterAll(async () => {
  await memory.close();
  rmSync(folder, { recursive: true, force: true });
});

/** Counts the reads from disk. */
function counted(values: DurableValues<OpenIncident>, reads: string[]): DurableValues<OpenIncident> {
  return {
    ...values,
    keys: () => {
      reads.push('all');
      return values.keys();
    },
    get: (key) => {
      reads.push(key);
      return values.get(key);
    },
  };
}

const now = (): number => Date.parse('2026-06-01T10:00:00Z');

const openIn = (book: OpenBook): OpenIncidents =>
  new OpenIncidents({ kept: book, box: createBox({ keys: testCodecKeys }), asDecided: (alert) => alert, log, now });

const id = (n: number): string => `incident/lab/shop/Deployment/cart-${n}`;

test('data on all open incidents is read from disk once, at the start', async () => {
  const reads: string[] = [];
  const book = new OpenBook(counted(memory.values('open'), reads));
  const open = openIn(book);
  for (let n = 0; n < 20; n += 1) {
    open.hears(id(n), batchOf([alertOf({ n })]));
    open.started(id(n), `run-${n}`, batchOf([alertOf({ n })]));
  }
  reads.length = 0;
  expect(open.report().count).toBe(20);
  expect(book.ids()).toHaveLength(20);
  expect([open.isOpen(id(3), 'run-3'), open.isOpen(id(3), 'run-4'), book.idOf('run-7')]).toEqual([true, false, id(7)]);
  expect(reads).toEqual([]);
  book.remove(id(19));
  const before = open.report();

  await memory.close();
  memory = new DurableMemory(folder, log);
  const again = new OpenBook(memory.values('open'));
  expect(openIn(again).report()).toEqual(before);
  expect(again.get(id(0))?.kinds).toHaveLength(1);
  expect([again.head(id(19)), again.get(id(19))]).toEqual([undefined, undefined]);
});

test('a report has what a list shows of each incident: its start, its severity and the rules of all its alerts', () => {
  const open = openIn(new OpenBook(memory.values('said')));
  const first = alertOf({ severity: 'low' });
  open.hears(id(1), batchOf([first]));
  expect(open.report().worst).toEqual([{ incident: id(1), severity: 'low', rules: [first.rule] }]);
  open.started(id(1), 'run-1', batchOf([first]));
  open.hears(id(1), batchOf([alertOf({ n: 2, rule: 'Another rule', severity: 'critical' })]));
  expect(open.report().worst).toEqual([
    {
      ...{ incident: id(1), severity: 'critical', rules: [first.rule, 'Another rule'] },
      started: { run: 'run-1', at: '2026-06-01T10:00:00.000Z' },
    },
  ]);
});

test('no rules are named if there are more than a list shows, and a report stays within bounds however long their names are', () => {
  const open = openIn(new OpenBook(memory.values('bounded')));
  for (let n = 0; n < 12; n += 1) open.hears(id(1), batchOf([alertOf({ n, rule: `Rule ${n}` })]));
  expect(open.report().worst).toMatchObject([{ incident: id(1) }]);
  expect(open.report().worst[0]).not.toHaveProperty('rules');

  for (let n = 2; n < 400; n += 1) {
    const batch = batchOf([alertOf({ n, rule: `${'r'.repeat(390)}${n}`, severity: n > 300 ? 'critical' : 'low' })]);
    open.hears(id(n), batch);
    open.started(id(n), `run-${n}`, batch);
  }
  const report = open.report();
  const times = { at: '2026-06-01T10:00:00.000Z', since: '2026-06-01T09:00:00.000Z' };
  const counts = { accepted: 0, duplicates: 0, refused: {}, hidden: {}, sensors: [], watched: [] };
  expect(isIntakeReport({ source: 'here', ...times, ...counts, open: report })).toBe(true);
  expect(JSON.stringify(report).length).toBeLessThan(60_000);
  expect([report.count, report.worst.length]).toEqual([399, 100]);
  expect(report.worst.filter(({ rules }) => rules).length).toBeGreaterThan(20);
});

/** A Temporal that lists the first of them in time, and reports each as running; `asked` collects those that it is asked about. */
function slowTemporal(listed: readonly string[], asked: string[]): Client {
  const running = (workflowId: string, runId: string) => ({
    ...{ workflowId, runId, status: { code: 1, name: 'RUNNING' }, historyLength: 3 },
    raw: { workflowExecutionInfo: { firstRunId: runId, execution: { workflowId, runId } }, pendingActivities: [] },
  });
  return {
    options: { namespace: 'default' },
    withDeadline: <R>(_: number, call: () => Promise<R>): Promise<R> => call(),
    workflowService: {
      listWorkflowExecutions: async ({ nextPageToken }: { readonly nextPageToken?: Uint8Array }) => {
        if (nextPageToken) throw new Error('DEADLINE_EXCEEDED');
        const executions = listed.map((workflowId) => ({ execution: { workflowId, runId: workflowId.replace(/.*-/, 'run-') } }));
        return { executions, nextPageToken: Buffer.from('next') };
      },
    },
    workflow: {
      getHandle: (workflowId: string) => ({
        describe: async () => {
          asked.push(workflowId);
          return running(workflowId, workflowId.replace(/.*-/, 'run-'));
        },
      }),
    },
  } as unknown as Client;
}

test('incidents that a slow Temporal does not list are queried in turn, some in each round', async () => {
  const book = new OpenBook(memory.values('slow'));
  const open = openIn(book);
  for (let n = 0; n < 500; n += 1) {
    const batch = batchOf([alertOf({ n })]);
    open.hears(id(n), batch);
    open.started(id(n), `run-${n}`, batch);
  }
  const asked: string[] = [];
  const listed = Array.from({ length: 100 }, (_, n) => id(n));
  const client = slowTemporal(listed, asked);
  const gateway = { start: refused, signal: refused, note: refused };
  const stopping = new AbortController();
  const watch = new RunWatch({
    kept: book,
    open,
    starts: new StartMemory(),
    records: { before: () => [], forget: () => undefined, waitingFor: () => [] },
    note: refused,
    log,
    now,
  });
  const watching = watch.follow({ client, gateway, signal: stopping.signal, everyMs: 1 });
  await eventually('each that is not listed', () => new Set(asked.filter((one) => !listed.includes(one))).size === 400);
  stopping.abort();
  await watching;
  // The first look asks about two hundred of them, none twice; some of all are asked whether they continue.
  const unlisted = asked.filter((one) => !listed.includes(one));
  expect(new Set(unlisted.slice(0, 200)).size).toBe(200);
  expect(asked.slice(0, 200).filter((one) => listed.includes(one))).toEqual([]);
  expect(asked.slice(200, 210).every((one) => book.head(one) !== undefined)).toBe(true);
});

async function refused(): Promise<never> {
  throw new Error('nothing is to be told');
}

test('says which alerts a run was told, of that run only, and not if there may be more', () => {
  const open = openIn(new OpenBook(memory.values('alerts-of-runs')));
  const alerts = (count: number) => Array.from({ length: count }, (_, n) => alertOf({ n, rule: `rule ${n}` }));
  open.hears(id(1), batchOf(alerts(2)));
  expect(open.alertsOf(id(1), 'run-1')).toBeUndefined();
  open.started(id(1), 'run-1', batchOf(alerts(2)));
  expect(open.alertsOf(id(1), 'run-1')?.map(({ rule }) => rule)).toEqual(['rule 0', 'rule 1']);
  expect(open.alertsOf(id(1), 'run-2')).toBeUndefined();
  open.hears(id(1), batchOf(alerts(25)));
  expect(open.alertsOf(id(1), 'run-1')).toBeUndefined();
});
