import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type AuditRecord, recordLink, type SignedRecord, signRecord } from '../core/audit/audit.ts';
import type { Trust } from '../core/messages/sender.ts';
import { type StreamFormat, streamFormats } from '../core/streams/stream.ts';
import { createAuditStore } from '../integrations/database/audit-store.ts';
import { openDatabase } from '../integrations/database/database.ts';
import { createStreamFeed } from '../integrations/database/outbound/stream-feed.ts';
import { createVerifier, openSigner } from '../integrations/keys/ed25519.ts';
import { createHttpReceiver } from '../integrations/streams/http-receiver.ts';
import { StreamRunner } from '../service/streams/stream-runner.ts';
import type { CheckedEvents } from './parts/event-sink.ts';
import { loadNow, printGoals, round, writeResult } from './report.ts';

const incidents = Number(process.env.BENCH_COUNT ?? 2_000);
const goal = 20_000;
const cluster = 'bench';

const target = 'pod/shop/app-1';
const step = 'incident/bench/shop/Deployment/app-1/run/firebreak/contain-dropped-binary/uid/quarantinePod/1';
const alert = {
  id: '0123456789abcdef0123456789abcdef',
  rule: 'Drop and execute new binary in container',
  severity: 'critical',
  time: '1970-01-01T00:00:00.123456789Z',
  title: 'Executing binary not part of base image (user=root process=xmrig)',
  sensor: 'falco',
  pod: { namespace: 'shop', name: 'app-1', uid: '5f0c6a8e-0000-4000-8000-000000000000' },
  mitre: ['TA0003', 'T1105'],
};
const plan = {
  action: 'quarantinePod',
  effect: 'reversible',
  reach: 'pod',
  target: { name: target, uid: alert.pod.uid },
  changes: [{ target, what: 'replaces all labels by firebreak.dev/quarantine' }],
  blastRadius: [target],
  notes: [],
  inputDigest: '0'.repeat(64),
};
const kinds: readonly (readonly [kind: string, actor: string, body: AuditRecord['body']])[] = [
  ['incident.opened', 'sensor/falco', { text: '1 × Drop and execute new binary in container', counts: [], alerts: [alert] }],
  ['playbook.started', 'playbook/firebreak/contain-dropped-binary', { text: 'Contain a pod that ran a binary', subject: 'uid' }],
  ['step.applied', 'playbook/firebreak/contain-dropped-binary', { text: 'Quarantined', step, action: 'quarantinePod', plan }],
  ['step.checked', 'engine', { text: 'verified', step, verification: { state: 'verified', detail: 'a probe was refused' } }],
  ['question.decided', 'person/ada', { text: 'remove, by Ada', question: 'q', choice: 'remove', by: ['Ada'] }],
  ['vote.accepted', 'person/ada', { text: 'Ada: remove', vote: { person: 'ada', choice: 'remove', question: 'q', at: '' } }],
  ['step.applied', 'playbook/firebreak/contain-dropped-binary', { text: 'Deleted', step, action: 'deletePod', plan }],
  ['lease.released', 'engine', { text: 'the target is gone', lease: 'l' }],
  ['incident.verdict', 'playbook/firebreak/contain-dropped-binary', { text: 'true_positive', verdict: 'true_positive' }],
  ['incident.closed', 'engine', { text: 'closed: true_positive', verdict: 'true_positive', reached: 'eradicated', total: 1 }],
];

const folder = mkdtempSync(join(tmpdir(), 'firebreak-bench-streams-'));
const signer = await openSigner({ file: join(folder, 'cell.pem'), create: true });
const verifier = createVerifier({ publicKeys: [signer.publicKey] });
const trust: Trust = {
  senderOf: (signed) => (verifier.verify(signed) ? { role: 'cell', keyId: signed.keyId, cluster } : undefined),
  senderOfAsync: async (signed) =>
    (await verifier.verifyAsync(signed)) ? { role: 'cell', keyId: signed.keyId, cluster } : undefined,
};
/** Trusts everything: what remains is the cost of everything but the signatures. */
const credulous: Trust = { senderOf: ({ keyId }) => ({ role: 'cell', keyId, cluster }) };
const database = await openDatabase({ url: `sqlite:${join(folder, 'audit.db')}` });
const feed = createStreamFeed(database);

/** Starts a receiver in another process. */
async function startSink(...args: readonly string[]) {
  const sink = spawn(process.execPath, [join(import.meta.dirname, 'parts', 'event-sink.ts'), ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [first] = await once(sink.stdout, 'data');
  return { url: String(first).trim(), kill: () => sink.kill() };
}

/** Number of invalid events among all that arrived over HTTP. */
async function checkedEvents(format: StreamFormat): Promise<CheckedEvents> {
  const checking = await startSink(format);
  try {
    const { events } = await measure(`${format} checked`, format, credulous, checking.url);
    const checked: CheckedEvents = JSON.parse(await (await fetch(checking.url)).text());
    if (checked.events !== events) throw new Error(`${events} events were sent, ${checked.events} arrived`);
    for (const problem of checked.problems) console.error(format, problem);
    return checked;
  } finally {
    checking.kill();
  }
}

const sink = await startSink();
try {
  await writeRecords();
  // Until V8 has compiled it: after one round it still needs a fifth more processor time than after three.
  for (let round = 1; round <= 3; round += 1) await measure(`warm-up ${round}`, 'ocsf', trust, sink.url);
  const figures: Record<string, number> = {};
  for (const format of streamFormats)
    for (const [checks, who] of [
      ['signatures checked', trust],
      ['signatures believed', credulous],
    ] as const) {
      const { events, seconds, cpuSeconds } = await measure(`${format} ${checks}`, format, who, sink.url);
      figures[`${format}, ${checks}: events/s`] = Math.round(events / seconds);
      figures[`${format}, ${checks}: CPU ms per 1 000 events`] = round((cpuSeconds * 1_000_000) / events);
      console.log(`${format}, ${checks}: ${events} events, ${Math.round(events / seconds)}/s, ${round(cpuSeconds)} s of CPU`);
    }
  let [sent, invalid] = [0, 0];
  for (const format of streamFormats) {
    const checked = await checkedEvents(format);
    figures[`${format}: events checked by the receiver`] = checked.events;
    sent += checked.events;
    invalid += checked.invalid;
  }
  const turns = longestTurn();
  await measure('turns', 'ocsf', credulous, sink.url);
  figures['ocsf, signatures believed: longest turn of the thread, CPU ms'] = round(turns.stop());
  const fastest = figures['ocsf, signatures checked: events/s'] ?? 0;
  const result = {
    name: 'streams',
    what: `One stream over HTTP, gzip, batches of 500 records, from SQLite with ${incidents} incidents of ${kinds.length} records, until everything is delivered and noted. The receiver is another process that reads and answers`,
    figures,
    goals: [
      { what: 'events/s as OCSF, signatures checked', goal: `at least ${goal}`, measured: String(fastest), met: fastest >= goal },
      {
        what: 'valid events, according to the vendored OCSF schema or the CloudEvents specification',
        goal: 'all',
        measured: `${sent - invalid} of ${sent}`,
        met: invalid === 0,
      },
    ],
    limitedBy: [
      'One thread reads, makes the events and notes how far it has come. Signatures (Ed25519) and gzip are on other cores.',
      loadNow(),
    ],
  };
  writeResult(result);
  printGoals(result.goals);
} finally {
  sink.kill();
  await database.close();
  rmSync(folder, { recursive: true, force: true });
}

/** As in an incident, of usual sizes. */
function recordsOf(chain: string): readonly AuditRecord[] {
  const at = new Date(0).toISOString();
  return kinds.map(([kind, actor, body], index) => ({ chain, number: index + 1, at, kind, actor, body }));
}

async function writeRecords(): Promise<void> {
  const store = createAuditStore(database);
  for (let nth = 0; nth < incidents; nth += 1) {
    const signed: SignedRecord[] = [];
    for (const record of recordsOf(`incident/${cluster}/shop/Deployment/app-${nth}@run`)) {
      const before = signed.at(-1);
      signed.push(await signRecord(record, signer, before && recordLink(before)));
    }
    await store.append(signed);
  }
}

/** Longest time during which nothing else on this thread got its turn, in processor time: other programs do not count. */
function longestTurn(): { stop(): number } {
  const now = (): number => {
    const { user, system } = process.threadCpuUsage();
    return (user + system) / 1_000;
  };
  let [last, longest, isOver] = [now(), 0, false];
  const look = (): void => {
    const at = now();
    longest = Math.max(longest, at - last);
    last = at;
    if (!isOver) setImmediate(look);
  };
  setImmediate(look);
  return {
    stop: () => {
      isOver = true;
      return longest;
    },
  };
}

async function measure(name: string, format: StreamFormat, who: Trust, url: string) {
  let events = 0;
  const runner = new StreamRunner({
    name,
    feed,
    from: 'beginning',
    format,
    maker: { cluster, version: 'bench' },
    trust: who,
    receiver: createHttpReceiver({ url, format, body: 'lines', gzip: true, timeoutMs: 10_000, access: () => ({ tls: {} }) }),
    holder: 'bench',
    observer: {
      delivered: (count) => {
        events += count;
      },
      failed: (kind, reason) => console.error(kind, reason),
      unproven: (row) => console.error('unproven', row),
      broken: (error) => console.error(error),
    },
    batch: 500,
  });
  const [began, cpu] = [performance.now(), process.cpuUsage()];
  runner.start();
  // Reading the lag costs as much as a delivery, so it is done rarely.
  while (events < incidents * kinds.length || (await feed.lag(name)).records > 0) await sleep(50);
  const seconds = (performance.now() - began) / 1_000;
  const { user, system } = process.cpuUsage(cpu);
  await runner.stop();
  return { events, seconds, cpuSeconds: (user + system) / 1_000_000 };
}
