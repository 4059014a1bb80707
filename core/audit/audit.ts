import type { Sender, Trust } from '../messages/sender.ts';
import type { Signer } from '../messages/signing.ts';
import { canonicalJson, sha256Hex } from '../text/digest.ts';
import { plainJson } from '../text/plain-json.ts';
import type { Finding } from './audit-report.ts';

/** Who did it: `playbook/ID`, `person/ID`, `engine`, `sensor/NAME`, `slack/USER` for a rejected stranger, `claimed/ID` if only an unproven name says who. */
export type Actor = string;

/** One record, numbered by its maker. The numbers of a chain begin at 1 and have no gap. */
export interface AuditRecord {
  /** `INCIDENT@RUN`, or `desk/NAME` for what belongs to no incident. It determines whose record it is: `originOf`. */
  readonly chain: string;
  readonly number: number;
  /** ISO 8601, UTC. */
  readonly at: string;
  /**
   * `incident.opened`, `alert.joined`, `step.planned`, `step.applied`, `step.checked` (whatever the result), `question.asked`, `vote.accepted`, `vote.refused`,
   * `lease.renewed` …
   */
  readonly kind: string;
  readonly actor: Actor;
  /** Plain JSON, redacted; null stands for absent. */
  readonly body: Readonly<Record<string, unknown>>;
}

/** Who made a record: the cell or the desk that owns its chain. */
export interface RecordSignature {
  readonly keyId: string;
  /**
   * `recordLink` of the previous record that its maker signed in this chain; `genesisHash` if it vouches for none. So proving the last record of a run proves
   * all of them: checking a signature takes as long as computing 50 hashes.
   */
  readonly follows: string;
  /** 32 hex digits that only its maker can make, so that removed content cannot be recovered by guessing. Empty if the content was removed. */
  readonly salt: string;
  /** Ed25519 over `recordBytes(signed)`, base64. */
  readonly signature: string;
}

export interface SignedRecord extends RecordSignature {
  readonly record: AuditRecord;
  /** For a record with removed content: the SHA-256 of the content that its maker signed. `record` then only says where it stood and of what kind it was. */
  readonly removed?: string;
}

/**
 * Returns a record as a store holds it. `bodyText`: the canonical JSON of its body, from which the hash is computed directly; rebuilding the text takes as long
 * as the rest of a check.
 */
export function storedRecord(record: AuditRecord, bodyText: string, salt: string): AuditRecord {
  return new StoredAuditRecord(record, salt, hashOfContent(record.actor, bodyText, salt));
}

/** Stores its hash in itself: millions of entries in a WeakMap kept the garbage collector busy. */
class StoredAuditRecord implements AuditRecord {
  readonly chain: string;
  readonly number: number;
  readonly at: string;
  readonly kind: string;
  readonly actor: Actor;
  readonly body: AuditRecord['body'];
  readonly #salt: string;
  readonly #content: string;

  constructor({ chain, number, at, kind, actor, body }: AuditRecord, salt: string, content: string) {
    this.chain = chain;
    this.number = number;
    this.at = at;
    this.kind = kind;
    this.actor = actor;
    this.body = body;
    this.#salt = salt;
    this.#content = content;
  }

  static contentOf(record: AuditRecord, salt: string): string | undefined {
    return #content in record && record.#salt === salt ? record.#content : undefined;
  }
}

const contents = new WeakMap<AuditRecord, { readonly salt: string; readonly content: string }>();

function hashOfContent(actor: Actor, bodyText: string, salt: string): string {
  return sha256Hex(`{"actor":${quoted(actor)},"body":${bodyText},"salt":${quoted(salt)}}`);
}

/** Returns what is left of a record whose content was removed. */
export function removedRecord({ chain, number, at, kind }: Pick<AuditRecord, 'chain' | 'number' | 'at' | 'kind'>): AuditRecord {
  return { chain, number, at, kind, actor: removedActor, body: { text: 'its content was removed by order' } };
}

const removedActor = 'removed';

/** Returns whether the content of this record was removed by order. */
export function isRemoved({ actor }: Pick<AuditRecord, 'actor'>): boolean {
  return actor === removedActor;
}

/** SHA-256 over the actor and the content, with the salt. This is the removable part; the signature covers only this hash. */
export function recordContent({ record, salt, removed }: Pick<SignedRecord, 'record' | 'salt' | 'removed'>): string {
  if (removed !== undefined) return removed;
  const stored = StoredAuditRecord.contentOf(record, salt);
  if (stored !== undefined) return stored;
  const known = contents.get(record);
  if (known && known.salt === salt) return known.content;
  const content = hashOfContent(record.actor, canonicalJson(record.body), salt);
  contents.set(record, { salt, content });
  return content;
}

/** Returns the bytes that are signed: the record's place, its kind and the hash of its content. So it cannot be moved. */
export function recordBytes(unsigned: Omit<SignedRecord, 'keyId' | 'signature'>): Uint8Array {
  return new TextEncoder().encode(`firebreak.record.v3\n{${signedText(unsigned, '')}}`);
}

/** Returns the signed text as canonical JSON. `between`: the additional fields of a link, at their sorted position. */
function signedText(unsigned: Omit<SignedRecord, 'keyId' | 'signature'>, between: string): string {
  const { at, chain, kind, number } = unsigned.record;
  const first = `"at":${quoted(at)},"chain":${quotedChain(chain)},"content":"${recordContent(unsigned)}","follows":${quoted(unsigned.follows)}`;
  return `${first},${between}"kind":${quoted(kind)},"number":${JSON.stringify(number)}`;
}

/** @param follows `recordLink` of the previous record that the same signer signed in this chain, and only of that */
export async function signRecord(given: AuditRecord, signer: Signer, follows = genesisHash): Promise<SignedRecord> {
  const record = storable(given);
  const salt = await saltFor(record, signer);
  return { record, keyId: signer.keyId, follows, salt, signature: await signer.sign(recordBytes({ record, follows, salt })) };
}

/** Returns the same salt if a record is signed again because an answer was lost; nobody can make it without the key. */
async function saltFor({ chain, number, at }: AuditRecord, signer: Signer): Promise<string> {
  const bytes = new TextEncoder().encode(`firebreak.salt.v1\n${canonicalJson({ at, chain, number })}`);
  return sha256Hex(await signer.sign(bytes)).slice(0, 32);
}

/** Returns the link by which a later record of the same maker refers to this one. It covers the signature too, so nothing can be changed. */
export function recordLink(signed: SignedRecord): string {
  return sha256Hex(`{${signedText(signed, `"keyId":${quoted(signed.keyId)},`)},"signature":${quoted(signed.signature)}}`);
}

/** The same chain often comes many times in a row. */
function quotedChain(chain: string): string {
  if (chain !== lastChain.name) lastChain = { name: chain, text: quoted(chain) };
  return lastChain.text;
}

let lastChain = { name: '', text: '""' };

/** Returns a text as JSON. Hashed texts are assembled by hand, since this runs for each record and each head that is checked. */
export function quoted(text: string): string {
  return plain.test(text) ? `"${text}"` : JSON.stringify(text);
}

const plain = /^[\w+/=@.:-]*$/;

/** Returns the record as both databases store it: signature and hash are computed over this. PostgreSQL's text cannot hold a NUL. */
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

/** Returns the hash that links a row to the one before it: `previous` is that row's hash, 64 zeros for the first. */
export function recordHash(signed: SignedRecord, previous: string, link = recordLink(signed)): string {
  return sha256Hex(`{"link":"${link}","previous":${quoted(previous)}}`);
}

/** Whose records a chain holds. No others belong in it. */
type Origin = Pick<Sender, 'role' | 'cluster'>;

/** `incident/CLUSTER/…@RUN` and `control/CLUSTER@RUN` belong to that cluster's cell, `desk/…` to a desk. Undefined: nobody writes such a chain. */
export function originOf(chain: string): Origin | undefined {
  const [root, next = ''] = chain.split('/', 2);
  if (root === 'desk' && next !== '') return { role: 'desk' };
  const cluster = root === 'control' ? next.split('@')[0] : next;
  if ((root !== 'incident' && root !== 'control') || !cluster || !chain.includes('@')) return undefined;
  return { role: 'cell', cluster };
}

/**
 * Returns why this is not a record of its chain's own cell or desk; undefined if it is. For several records of one chain use `OriginCheck`: it is much faster.
 */
export function originProblem(signed: SignedRecord, trust: Trust): string | undefined {
  const { record, keyId, signature } = signed;
  const origin = originOf(record.chain);
  if (!origin) return 'belongs to a chain that nobody writes';
  if (keyId === '' && signature === '') return 'is not signed';
  const maker = trust.senderOf({ keyId, bytes: recordBytes(signed), signature });
  if (!maker) return `has no valid signature of a known cell or desk (key ${keyId})`;
  if (maker.role === origin.role && maker.cluster === origin.cluster) return undefined;
  return `is signed by ${makerName(maker)}, which does not write this chain`;
}

/**
 * Checks the origin of several records, the later ones of a chain first: a record named by its maker in a later, proven record needs no signature check of its
 * own.
 */
export class OriginCheck {
  readonly #trust: Trust;
  /** By link: the record that vouches for it, as far as its chain and its key. */
  readonly #vouched = new Map<string, SignedRecord>();

  constructor(trust: Trust) {
    this.#trust = trust;
  }

  /** As `originProblem`. */
  problemOf(signed: SignedRecord, link = recordLink(signed)): string | undefined {
    const by = this.#vouched.get(link);
    const isVouchedFor = by !== undefined && by.keyId === signed.keyId && by.record.chain === signed.record.chain;
    const problem = isVouchedFor ? undefined : originProblem(signed, this.#trust);
    this.#vouched.delete(link);
    if (problem === undefined && signed.follows !== genesisHash) this.#vouched.set(signed.follows, signed);
    return problem;
  }
}

function makerName({ role, cluster }: Sender): string {
  return cluster === undefined ? `a ${role}` : `the ${role} of ${cluster}`;
}

export interface ChainHead {
  readonly chain: string;
  /** The place of the last row: the number of its record, unless somebody else wrote there. */
  readonly number: number;
  readonly hash: string;
}

/** The result of an append: all records are in the store. */
export interface Appended {
  readonly head: ChainHead;
  /** What else has their numbers, or is missing before them: somebody else wrote to the store, or two records were made with one number. */
  readonly found: readonly Finding[];
}

/** Used by the workflow's outbox and every other writer. */
export interface AuditWriter {
  /**
   * A record that is already there is acknowledged, not written again. If its number is taken by another record, it is written next to that one: a false record
   * cannot keep a true one out, and both stay as proof. The batch: one run of consecutive numbers of one chain, its origin proven.
   * @throws FB_ERR_AUDIT_CONFLICT for another batch.
   */
  append(records: readonly SignedRecord[]): Promise<Appended>;
  /** Appends one record to a chain with several writers: the store assigns the number, under its own lock. */
  appendNext(chain: string, make: (number: number) => Promise<SignedRecord>): Promise<ChainHead>;
}

/** Returns the actor for a record that carries somebody's name without proof that it is theirs: anybody can write a name. */
export function claimedBy(person: string): string {
  return `claimed/${person.slice(0, 100)}`;
}
