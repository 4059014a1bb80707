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
  /**
   * `recordLink` of the record that its maker signed before it in this chain; `genesisHash` where it vouches for none. So whoever proves the last one of a
   * run has proven all of them: the check of a signature takes as long as that of 50 hashes.
   */
  readonly follows: string;
  /** 32 hex digits that only its maker can make: what is removed of a record is not found out by trying what it may have said. Empty where it is removed. */
  readonly salt: string;
  /** Ed25519 over `recordBytes(signed)`, base64. */
  readonly signature: string;
}

export interface SignedRecord extends RecordSignature {
  readonly record: AuditRecord;
  /** Of a record whose content was removed: the SHA-256 of what its maker had signed of it. `record` says nothing then but where and of what kind it was. */
  readonly removed?: string;
}

/** A record as a store has it. `bodyText`: the canonical JSON of its body; from it the hash is known at once, where making the text anew takes as long as the rest of a check. */
export function storedRecord(record: AuditRecord, bodyText: string, salt: string): AuditRecord {
  return new StoredAuditRecord(record, salt, hashOfContent(record.actor, bodyText, salt));
}

/** Has its hash with it: millions of entries in a WeakMap kept the collection of garbage busy. */
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

/** What is left of a record whose content was removed. */
export function removedRecord({ chain, number, at, kind }: Pick<AuditRecord, 'chain' | 'number' | 'at' | 'kind'>): AuditRecord {
  return { chain, number, at, kind, actor: removedActor, body: { text: 'what it said was removed by order' } };
}

const removedActor = 'removed';

/** Whether what this record said is gone, by order. */
export function isRemoved({ actor }: Pick<AuditRecord, 'actor'>): boolean {
  return actor === removedActor;
}

/** SHA-256 over who did it and what it says, with the salt: what can be removed, and is signed by this hash alone. */
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

/** The bytes that are signed: where it stands, its kind and the hash of its content. It cannot be moved. */
export function recordBytes(unsigned: Omit<SignedRecord, 'keyId' | 'signature'>): Uint8Array {
  return new TextEncoder().encode(`firebreak.record.v3\n{${signedText(unsigned, '')}}`);
}

/** What is signed, as canonical JSON has it. `between`: what a link has beside that, and where it belongs by name. */
function signedText(unsigned: Omit<SignedRecord, 'keyId' | 'signature'>, between: string): string {
  const { at, chain, kind, number } = unsigned.record;
  const first = `"at":${quoted(at)},"chain":${quotedChain(chain)},"content":"${recordContent(unsigned)}","follows":${quoted(unsigned.follows)}`;
  return `${first},${between}"kind":${quoted(kind)},"number":${JSON.stringify(number)}`;
}

/** @param follows `recordLink` of what the same signer has signed before it in this chain, and only of that */
export async function signRecord(given: AuditRecord, signer: Signer, follows = genesisHash): Promise<SignedRecord> {
  const record = storable(given);
  const salt = await saltFor(record, signer);
  return { record, keyId: signer.keyId, follows, salt, signature: await signer.sign(recordBytes({ record, follows, salt })) };
}

/** The same for a record that is signed again, since an answer was lost; made by nobody without the key. */
async function saltFor({ chain, number, at }: AuditRecord, signer: Signer): Promise<string> {
  const bytes = new TextEncoder().encode(`firebreak.salt.v1\n${canonicalJson({ at, chain, number })}`);
  return sha256Hex(await signer.sign(bytes)).slice(0, 32);
}

/** What a later record of the same maker names it by: it holds the signature too, so that nothing of it can be changed. */
export function recordLink(signed: SignedRecord): string {
  return sha256Hex(`{${signedText(signed, `"keyId":${quoted(signed.keyId)},`)},"signature":${quoted(signed.signature)}}`);
}

/** The same chain comes many times in a row. */
function quotedChain(chain: string): string {
  if (chain !== lastChain.name) lastChain = { name: chain, text: quoted(chain) };
  return lastChain.text;
}

let lastChain = { name: '', text: '""' };

/** A text as JSON has it. What is to be hashed is put together by hand: it is made for each record and each head that is checked. */
export function quoted(text: string): string {
  return plain.test(text) ? `"${text}"` : JSON.stringify(text);
}

const plain = /^[\w+/=@.:-]*$/;

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
export function recordHash(signed: SignedRecord, previous: string, link = recordLink(signed)): string {
  return sha256Hex(`{"link":"${link}","previous":${quoted(previous)}}`);
}

/** Whose records a chain holds. Nobody else's belong into it. */
type Origin = Pick<Sender, 'role' | 'cluster'>;

/** `incident/CLUSTER/…@RUN` and `control/CLUSTER@RUN` are of that cluster's cell, `desk/…` of a desk. Undefined: nobody writes such a chain. */
export function originOf(chain: string): Origin | undefined {
  const [root, next = ''] = chain.split('/', 2);
  if (root === 'desk' && next !== '') return { role: 'desk' };
  const cluster = root === 'control' ? next.split('@')[0] : next;
  if ((root !== 'incident' && root !== 'control') || !cluster || !chain.includes('@')) return undefined;
  return { role: 'cell', cluster };
}

/** Why this is no record of its chain's own cell or desk; undefined where it is one. Of several of one chain ask `OriginCheck`: it is much faster. */
export function originProblem(signed: SignedRecord, trust: Trust): string | undefined {
  const { record, keyId, signature } = signed;
  const origin = originOf(record.chain);
  if (!origin) return 'is of a chain that nobody writes';
  if (keyId === '' && signature === '') return 'is not signed';
  const maker = trust.senderOf({ keyId, bytes: recordBytes(signed), signature });
  if (!maker) return `has no valid signature of a cell or desk that is known (key ${keyId})`;
  if (maker.role === origin.role && maker.cluster === origin.cluster) return undefined;
  return `is signed by ${makerName(maker)}, which does not write this chain`;
}

/**
 * Whose records these are, where several are asked about, the later ones of a chain first: what its maker has named in a later record that is proven needs no
 * check of its own signature.
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
