import type { Sender, Trust } from '../messages/sender.ts';
import type { Signer } from '../messages/signing.ts';
import { canonicalJson, sha256Hex } from '../text/digest.ts';
import { plainJson } from '../text/plain-json.ts';
import type { Finding } from './audit-report.ts';

/** Who did it: `playbook/ID`, `person/ID`, `engine`, `sensor/NAME`, `slack/USER` for a refused stranger, `claimed/ID` where only a name says who. */
export type Actor = string;

/** One line of the record, as its maker numbers it. Numbers of a chain begin at 1 and have no gap. */
export interface AuditRecord {
  /** `INCIDENT@RUN`, or `desk/NAME` for what belongs to no incident. It says whose record it is: `originOf`. */
  readonly chain: string;
  readonly number: number;
  /** ISO 8601, UTC. */
  readonly at: string;
  /** `incident.opened`, `alert.joined`, `step.planned`, `step.applied`, `step.checked` (whatever was found), `question.asked`, `vote.accepted`, `vote.refused`, `lease.renewed` … */
  readonly kind: string;
  readonly actor: Actor;
  /** Plain JSON, redacted; null is used for absent. */
  readonly body: Readonly<Record<string, unknown>>;
}

/** By whom a record was made: the cell or the desk whose chain it belongs to. */
export interface RecordSignature {
  readonly keyId: string;
  /** Ed25519 over `recordBytes(record)`, base64. */
  readonly signature: string;
}

export interface SignedRecord extends RecordSignature {
  readonly record: AuditRecord;
}

/** Of records that were read with it: signature and hash are both over it, and making it anew took as long as the rest of a check without signatures. */
const readTexts = new WeakMap<AuditRecord, string>();

/** A record as a store has it. `bodyText`: the canonical JSON of its body. */
export function storedRecord(record: AuditRecord, bodyText: string): AuditRecord {
  const { chain, number, at, kind, actor } = record;
  const [before, after] = [
    { actor, at },
    { chain, kind, number },
  ].map((fields) => JSON.stringify(fields).slice(1, -1));
  readTexts.set(record, `{${before},"body":${bodyText},${after}}`);
  return record;
}

function recordText(record: AuditRecord): string {
  return readTexts.get(record) ?? canonicalJson(record);
}

/** The bytes that are signed. They hold chain and number: a record cannot be moved. */
export function recordBytes(record: AuditRecord): Uint8Array {
  return new TextEncoder().encode(`firebreak.record.v1\n${recordText(record)}`);
}

export async function signRecord(given: AuditRecord, signer: Signer): Promise<SignedRecord> {
  const record = storable(given);
  return { record, keyId: signer.keyId, signature: await signer.sign(recordBytes(record)) };
}

/** The record as both databases keep it: signature and hash are over this. PostgreSQL's text cannot hold a NUL. */
export function storable(record: AuditRecord): AuditRecord {
  const { chain, number, at, kind, actor, body } = record;
  const fields = Object.entries(body).filter(([, value]) => value !== undefined);
  return {
    chain: storableText(chain),
    number,
    at: storableText(at),
    kind: storableText(kind),
    actor: storableText(actor),
    body: Object.fromEntries(fields.map(([name, value]) => [name.toWellFormed(), plainJson(value)])),
  };
}

function storableText(text: string): string {
  return text.toWellFormed().replaceAll('\0', '\ufffd');
}

export const genesisHash = '0'.repeat(64);

/** The hash that links a row to the one before it: `previous` is that one's hash, 64 zeros for the first. */
export function recordHash({ record, keyId, signature }: SignedRecord, previous: string): string {
  const [before, after] = [{ keyId, previous }, { signature }].map((fields) => JSON.stringify(fields).slice(1, -1));
  return sha256Hex(`{${before},"record":${recordText(record)},${after}}`);
}

/** Whose records a chain holds. Nobody else's belong into it. */
export type Origin = Pick<Sender, 'role' | 'cluster'>;

/** `incident/CLUSTER/…@RUN` and `control/CLUSTER@RUN` are of that cluster's cell, `desk/…` of a desk. Undefined: nobody writes such a chain. */
export function originOf(chain: string): Origin | undefined {
  const [root, next = ''] = chain.split('/', 2);
  if (root === 'desk' && next !== '') return { role: 'desk' };
  const cluster = root === 'control' ? next.split('@')[0] : next;
  if ((root !== 'incident' && root !== 'control') || !cluster || !chain.includes('@')) return undefined;
  return { role: 'cell', cluster };
}

/** Why this is no record of its chain's own cell or desk; undefined where it is one. */
export function originProblem({ record, keyId, signature }: SignedRecord, trust: Trust): string | undefined {
  const origin = originOf(record.chain);
  if (!origin) return 'is of a chain that nobody writes';
  if (keyId === '' && signature === '') return 'is not signed';
  const maker = trust.senderOf({ keyId, bytes: recordBytes(record), signature });
  if (!maker) return `has no valid signature of a cell or desk that is known (key ${keyId})`;
  if (maker.role === origin.role && maker.cluster === origin.cluster) return undefined;
  return `is signed by ${makerName(maker)}, which does not write this chain`;
}

function makerName({ role, cluster }: Sender): string {
  return cluster === undefined ? `a ${role}` : `the ${role} of ${cluster}`;
}

export interface ChainHead {
  readonly chain: string;
  /** The place of the last row: the number of its record, where nobody else wrote. */
  readonly number: number;
  readonly hash: string;
}

/** What became of records that were given to the store: all are in it. */
export interface Appended {
  readonly head: ChainHead;
  /** What else stands under their numbers, or is missing before them: somebody wrote to the store, or two records were made under one number. */
  readonly found: readonly Finding[];
}

/** What the workflow's outbox and everyone else writes to. */
export interface AuditWriter {
  /**
   * A record that is there is acknowledged, not written again. One whose number is taken by another is written beside it: whoever got a
   * false record in keeps no true one out, and both are there for proof. The batch: one run of numbers of one chain, its origin proven.
   * @throws FB_ERR_AUDIT_CONFLICT for another batch.
   */
  append(records: readonly SignedRecord[]): Promise<Appended>;
  /** One record at the end of a chain that several write: the store gives the number, by its own lock. */
  appendNext(chain: string, make: (number: number) => Promise<SignedRecord>): Promise<ChainHead>;
}

/** The actor of a record about what carries somebody's name and was not proven to be theirs: anybody can write a name. */
export function claimedBy(person: string): string {
  return `claimed/${person.slice(0, 100)}`;
}
