/** Writes very many signed records to PostgreSQL as fast as they can be signed: worker threads write them into `COPY`. */
import { createPrivateKey, sign } from 'node:crypto';
import { once } from 'node:events';
import { closeSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import {
  type AuditRecord,
  type ChainHead,
  genesisHash,
  recordBytes,
  recordHash,
  recordLink,
  type SignedRecord,
  storedRecord,
} from '../../core/audit/audit.ts';
import { canonicalJson } from '../../core/text/digest.ts';
import { recordColumns } from '../../integrations/database/audit-rows.ts';
import { signerFrom } from '../../integrations/keys/ed25519.ts';
import { copyInto, copyLine } from './copy-rows.ts';

interface ManyRecords {
  /** URL of an empty database with the schema. */
  readonly url: string;
  /** Key of the cell of the cluster `c`. */
  readonly pem: string;
  readonly incidents: number;
  readonly perIncident: number;
  /** The incidents begin one after the other within this time, milliseconds since 1970. */
  readonly since: number;
  readonly until: number;
  /** A folder for the heads that move in each minute, from which checkpoints are made: see `writeCheckpoints`. */
  readonly movesIn: string;
}

/** What moved in a minute: a line of JSON in the files of `movesIn`, ordered by minute. */
export interface MovedHeads {
  /** Minutes since 1970. */
  readonly minute: number;
  readonly heads: readonly ChainHead[];
}

/** The file for a share of the incidents; the next share continues where this one ends, and both overlap by some minutes. */
export function movesFile(folder: string, share: number): string {
  return join(folder, `moves-${share}.jsonl`);
}

export async function writeManyRecords(many: ManyRecords, threads = 2): Promise<void> {
  const share = Math.ceil(many.incidents / threads);
  await Promise.all(
    Array.from({ length: threads }, async (_, index) => {
      const part: Part = { ...many, share: index, first: index * share, last: Math.min(many.incidents, (index + 1) * share) };
      const worker = new Worker(new URL(import.meta.url), { workerData: part });
      // A short part may have ended by the time its message is read.
      const ended = once(worker, 'exit');
      await once(worker, 'message');
      await ended;
    }),
  );
}

const pod = { name: 'pod/shop/cart-7d9c5b6f4-x2x8k', uid: '5a1c7a0e-2f7e-4b52-9a53-0e6a1b6f0c11' };
const plan = {
  ...{ action: 'quarantinePod', effect: 'reversible', reach: 'pod', target: pod, blastRadius: [pod.name], notes: [] },
  changes: [{ target: pod.name, what: 'replaces all labels by firebreak.dev/quarantine' }],
  inputDigest: '0'.repeat(64),
};
const rules = ['Drop and execute new binary in container', 'Terminal shell in container', 'Read sensitive file untrusted'];
const alertId = (nth: number): string => String(nth).padStart(32, '0');
const anyAlert = 'a'.repeat(32);
const alert = (rule: number) => ({
  ...{
    id: anyAlert,
    rule: rules[rule],
    severity: rule === 0 ? 'critical' : 'medium',
    sensor: 'falco',
  },
  title: 'Executing binary not part of base image (user=root process=xmrig)',
  pod: { namespace: 'shop', name: 'cart-7d9c5b6f4-x2x8k', uid: pod.uid },
});
const playbook = 'playbook/contain-dropped-binary';
const step = (number: number) => `run/contain-dropped-binary/uid/quarantinePod/${number}`;

interface Said extends Pick<AuditRecord, 'kind' | 'actor'> {
  /** The canonical JSON of its body, with `anyAlert` in place of the alert. */
  readonly text: string;
}

/** Incidents of the same rule have the same text except for the alert: building each text again took as long as all hashes. */
const saidBefore = new Map<string, Said>();

function said(rule: number, number: number, count: number): Said {
  const key = `${rule} ${number} ${count}`;
  const known = saidBefore.get(key);
  if (known) return known;
  const { kind, actor, body } = recordOf(rule, number, count);
  const made = { kind, actor, text: canonicalJson(body) };
  saidBefore.set(key, made);
  return made;
}

/** An incident in the order of its records; those in between are repeated. */
function recordOf(rule: number, number: number, count: number): Pick<AuditRecord, 'kind' | 'actor' | 'body'> {
  if (number === 1)
    return {
      kind: 'incident.opened',
      actor: 'sensor/falco',
      body: { text: '1 × Drop and execute', counts: [], alerts: [alert(rule)] },
    };
  if (number === 2) return { kind: 'playbook.started', actor: playbook, body: { text: 'Contain a pod', subject: 'uid' } };
  if (number === 3)
    return { kind: 'step.applied', actor: playbook, body: { text: 'Quarantined', step: step(1), action: 'quarantinePod', plan } };
  if (number === count - 1)
    return { kind: 'incident.verdict', actor: playbook, body: { text: 'true_positive', verdict: 'true_positive' } };
  if (number === count)
    return {
      kind: 'incident.closed',
      actor: 'engine',
      body: { text: 'closed', verdict: 'true_positive', reached: 'contained', total: 1 },
    };
  const verification = { state: 'verified', detail: 'a probe was refused' };
  const again = [
    { kind: 'alert.joined', actor: 'sensor/falco', body: { text: 'again', alerts: [alert(rule)] } },
    { kind: 'step.planned', actor: playbook, body: { text: 'Kill the process', step: step(number), plan } },
    { kind: 'step.checked', actor: 'engine', body: { text: 'verified', step: step(number), verification } },
    { kind: 'page.sent', actor: 'engine', body: { text: 'the on-call was called', group: 'oncall', question: 'q' } },
    { kind: 'lease.renewed', actor: 'engine', body: { text: 'renewed: it is critical', lease: step(1), renewals: number } },
  ];
  return again[number % again.length] ?? recordOf(rule, 2, count);
}

interface Part extends ManyRecords {
  readonly share: number;
  readonly first: number;
  readonly last: number;
}

async function writePart({ url, pem, perIncident, since, until, incidents, movesIn, share, first, last }: Part) {
  const key = createPrivateKey(pem);
  const { keyId } = signerFrom({ pem, name: 'the cell' });
  const records = copyInto(url, `audit_records (${recordColumns})`);
  const heads = copyInto(url, 'audit_heads (chain, number, hash, grown_at)');
  const moves = openSync(movesFile(movesIn, share), 'w');
  const open = new Map<number, ChainHead[]>();
  const writeMoves = (before: number): void => {
    const minutes = [...open.keys()].filter((minute) => minute < before).sort((a, b) => a - b);
    const ready = minutes.map((minute): MovedHeads => ({ minute, heads: open.get(minute) ?? [] }));
    writeSync(moves, ready.map((one) => `${JSON.stringify(one)}\n`).join(''));
    for (const minute of minutes) open.delete(minute);
  };
  for (let nth = first; nth < last; nth += 1) {
    const chain = `incident/c/shop-${nth % 40}/Deployment/w${nth}@6d0c4c53-9d0e-4f5f-8d1f-${String(nth).padStart(12, '0')}`;
    const openedAt = since + ((until - since) * nth) / incidents;
    let [follows, previous, at] = [genesisHash, genesisHash, ''];
    let lines = '';
    const ends = new Map<number, ChainHead>();
    // No future incident has a head in an earlier minute.
    writeMoves(minuteOf(openedAt));
    for (let number = 1; number <= perIncident; number += 1) {
      at = new Date(openedAt + number * 20_000).toISOString();
      const { kind, actor, text: ofAny } = said(nth % rules.length, number, perIncident);
      const text = ofAny.replaceAll(anyAlert, alertId(number === 1 ? nth : nth + number));
      const salt = String(nth * perIncident + number).padStart(32, '0');
      const record = storedRecord({ chain, number, at, kind, actor, body: {} }, text, salt);
      const signature = sign(null, recordBytes({ record, follows, salt }), key).toString('base64');
      const signed: SignedRecord = { record, keyId, follows, salt, signature };
      const link = recordLink(signed);
      const hash = recordHash(signed, previous, link);
      // In the order of `recordColumns`.
      lines += copyLine([chain, number, number, at, kind, actor, text, keyId, follows, salt, signature, '', previous, hash]);
      [follows, previous] = [link, hash];
      ends.set(minuteOf(openedAt + number * 20_000), { chain, number, hash });
    }
    for (const [minute, head] of ends) open.set(minute, [...(open.get(minute) ?? []), head]);
    await records.write(lines);
    await heads.write(copyLine([chain, perIncident, previous, at]));
  }
  writeMoves(Number.POSITIVE_INFINITY);
  closeSync(moves);
  await Promise.all([records.end(), heads.end()]);
}

function minuteOf(time: number): number {
  return Math.floor(time / 60_000);
}

if (!isMainThread) {
  await writePart(workerData as Part);
  parentPort?.postMessage('done');
}
