/**
 * Checks a bundle as `docs/spec/bundle.md` specifies. This file imports nothing and only uses what browsers also have: it is embedded in the page of a bundle
 * as it is, so the page and the command line run the same check.
 */
import type {
  Bundle,
  BundleArtefact,
  BundleCheckpoint,
  BundleContent,
  BundleExport,
  BundleKey,
  BundleManifest,
  BundleRemoval,
  BundleRow,
  KeyFingerprint,
} from './bundle.ts';

export type BundleVerdict = IntactBundle | RefusedBundle;

export interface IntactBundle {
  readonly ok: true;
  readonly chain: string;
  readonly records: number;
  /** Places of the records whose content was removed by order of two people. */
  readonly removed: readonly number[];
  /** Number of records that a checkpoint vouches for. */
  readonly covered: number;
  readonly lastCheckpoint: { readonly number: number; readonly at: string; readonly digest: string };
  /** Whether the incident was over when it was exported. */
  readonly closed: boolean;
  readonly exported: { readonly person: string; readonly at: string };
  readonly keys: readonly KeyFingerprint[];
  /** Whether the keys were compared with a list of trusted ones. */
  readonly compared: boolean;
  /** Evidence that the records name, but whose manifests are not in the bundle. */
  readonly missingManifests: readonly string[];
}

interface RefusedBundle {
  readonly ok: false;
  readonly code: BundleFault;
  readonly at?: number;
  readonly text: string;
}

const texts = {
  form: 'The file is not a bundle of this version, or its text was changed.',
  'key-form': 'Key {at} is not an Ed25519 key, or is listed twice.',
  'key-not-trusted': 'Key {at} ({what}) is not among the keys that you trust.',
  'content-changed': 'The content is not what {what} signed.',
  'order-mismatch': 'The order is about something else.',
  'export-forged': '{what} did not sign this bundle.',
  'no-records': 'There are no records.',
  'record-foreign': 'Record {at} belongs to another incident.',
  'record-order': 'Record {at} is missing, duplicated or out of place.',
  'record-changed': 'Record {at} does not match its hash.',
  'record-forged': 'Record {at} is not signed by the cell of {what}.',
  'removal-forged': 'Removal {at} is not signed by its person, or is about other records.',
  'removal-unproven': 'The content of record {at} is gone, and no two people ordered its removal.',
  'no-checkpoint': 'No checkpoint vouches for the records.',
  'checkpoint-order': 'Checkpoint {at} is duplicated or out of place.',
  'checkpoint-forged': 'Checkpoint {at} is not signed by the notary.',
  'checkpoint-unlinked': 'Checkpoint {at} does not follow from the one before it.',
  'checkpoint-proof': 'Checkpoint {at} does not vouch for what it is presented for.',
  'checkpoint-head': 'Checkpoint {at} is about other records.',
  'records-cut': 'Records are missing at the end: checkpoint {at} vouches for {what}.',
  'records-rewritten': 'Record {what} is not the one that checkpoint {at} vouches for.',
  'vote-forged': 'The vote of record {at} is not signed by its person or a desk, or is about something else.',
  'remark-forged': 'The comment of record {at} is not signed by a desk.',
  'decision-unproven': 'The decision of record {at} does not follow from the votes before it.',
  'manifest-unnamed': 'Manifest {at} is not named in the records.',
  'manifest-foreign': 'Manifest {at} belongs to another incident.',
  'manifest-forged': 'Manifest {at} is not signed by the evidence key.',
  'custody-broken': 'The custody list of manifest {at} has a gap.',
  'artefact-changed': 'Artefact {at} is not listed in any manifest.',
} as const;

export type BundleFault = keyof typeof texts;

class Refusal extends Error {
  readonly verdict: RefusedBundle;

  constructor(code: BundleFault, at?: number, what: number | string = '') {
    const text = texts[code].replace('{at}', String(at)).replace('{what}', () => String(what));
    super(text);
    this.verdict = { ok: false, code, text, ...(at !== undefined && { at }) };
  }
}

function must(isRight: boolean, code: BundleFault, at?: number, what?: number | string): asserts isRight {
  if (!isRight) throw new Refusal(code, at, what);
}

/** @param trusted the keys to trust, if the reader got them by another way. Never throws. */
export async function verifyBundle(file: Uint8Array, trusted?: readonly KeyFingerprint[]): Promise<BundleVerdict> {
  try {
    const bundle = readBundle(file);
    must(bundle !== undefined, 'form');
    return await verdictOn(bundle, trusted);
  } catch (error) {
    if (error instanceof Refusal) return error.verdict;
    throw error;
  }
}

/** Step 1: returns undefined if it is not a bundle, whatever else it says. */
export function readBundle(file: Uint8Array): Bundle | undefined {
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(file);
    const page = /^<!doctype html>/i.test(text) ? bundleOfPage(text) : undefined;
    const value: unknown = JSON.parse(page ?? text);
    const canonical = canonicalText(value);
    const isAsWritten =
      page === undefined ? text === canonical || text === `${canonical}\n` : page === canonical.replaceAll('<', '\\u003c');
    if (!isAsWritten) return undefined;
    return isBundle(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

const opening = '<script id="bundle" type="application/json">';

function bundleOfPage(text: string): string {
  const [, from] = text.split(opening, 2);
  const end = from?.indexOf('</script>') ?? -1;
  // An empty text is not JSON.
  return from?.slice(0, Math.max(0, end)) ?? '';
}

const mostLevels = 100;

/** RFC 8785. @throws RangeError if a value is nested too deep or has no canonical form */
function canonicalText(value: unknown, level = 1): string {
  if (typeof value === 'string') {
    if (/\p{Surrogate}/u.test(value)) throw new RangeError('a lone surrogate');
    return JSON.stringify(value);
  }
  if (typeof value === 'number' && !Number.isFinite(value)) throw new RangeError('no number');
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  if (level > mostLevels) throw new RangeError('nested too deep');
  if (Array.isArray(value)) return `[${value.map((one) => canonicalText(one, level + 1)).join(',')}]`;
  const fields = Object.entries(value).sort(([one], [other]) => (one < other ? -1 : 1));
  return `{${fields.map(([name, field]) => `${canonicalText(name)}:${canonicalText(field, level + 1)}`).join(',')}}`;
}

type Guard<T> = (value: unknown) => value is T;

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

const isText = (value: unknown): value is string => typeof value === 'string';
const matching =
  (pattern: RegExp): Guard<string> =>
  (value): value is string =>
    typeof value === 'string' && pattern.test(value);
const isHash = matching(/^[0-9a-f]{64}$/);
const isKeyId = matching(/^[0-9a-f]{16}$/);
const isSignature = matching(/^[A-Za-z0-9+/]{85}[AQgw]==$/);
const isTime = matching(/^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z$/);
const isBase64 = matching(/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/);
const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && Number(value) >= 0;

function exactly<const T extends number | string>(...wanted: readonly T[]): Guard<T> {
  return (value): value is T => wanted.some((one) => one === value);
}

function listOf<T>(isOne: Guard<T>): Guard<readonly T[]> {
  return (value): value is readonly T[] => Array.isArray(value) && value.every(isOne);
}

/** Accepts exactly these fields. */
function shaped<T extends object>(fields: { readonly [Name in keyof T]-?: Guard<T[Name]> }): Guard<T> {
  const guards = new Map<string, Guard<unknown>>(Object.entries(fields));
  return (value): value is T =>
    isObject(value) &&
    Object.keys(value).length === guards.size &&
    [...guards].every(([name, isRight]) => Object.hasOwn(value, name) && isRight(value[name]));
}

const isSaid: Guard<NonNullable<BundleRow['said']>> = shaped({
  ...{ actor: isText, body: isObject, salt: matching(/^[0-9a-f]{32}$/) },
});

const isRemoval: Guard<BundleRemoval> = shaped({
  order: shaped<BundleRemoval['order']>({
    ...{ version: exactly(1), kind: exactly('records.remove'), person: isText, at: isTime, cluster: isText },
    ...{ removal: isText, chain: isText, records: listOf(isCount), reason: isText },
  }),
  keyId: isKeyId,
  signature: isSignature,
});

const isRow: Guard<BundleRow> = shaped({
  record: shaped<BundleRow['record']>({
    ...{ chain: isText, number: isCount, at: isTime, kind: isText, content: isHash },
  }),
  said: (value): value is BundleRow['said'] => value === null || isSaid(value),
  keyId: isKeyId,
  follows: isHash,
  signature: isSignature,
  hash: isHash,
});

const isCheckpoint: Guard<BundleCheckpoint> = shaped({
  header: shaped<BundleCheckpoint['header']>({
    ...{ version: exactly(1), number: isCount, at: isTime, previous: isHash },
    ...{ moved: isHash, movedCount: isCount, chains: isCount, allHeads: isHash },
  }),
  keyId: isKeyId,
  signature: isSignature,
  proof: shaped<BundleCheckpoint['proof']>({
    tree: exactly('moved', 'all'),
    head: shaped<BundleCheckpoint['proof']['head']>({ chain: isText, number: isCount, hash: isHash }),
    index: isCount,
    path: listOf(isHash),
  }),
});

const isBundle: Guard<Bundle> = shaped({
  format: exactly('firebreak.bundle.v1'),
  content: shaped<BundleContent>({
    chain: matching(/^incident\/[^/]+\/[\s\S]+@[^@]+$/),
    madeBy: isText,
    records: listOf(isRow),
    removals: listOf(isRemoval),
    checkpoints: listOf(isCheckpoint),
    evidence: listOf(shaped<BundleManifest>({ sha256: isHash, manifest: isObject })),
    artefacts: listOf(shaped<BundleArtefact>({ sha256: isHash, data: isBase64 })),
    keys: listOf(
      shaped<BundleKey>({
        of: matching(/^(?:desk|notary|evidence|(?:cell|person)\/[\s\S]+)$/),
        spki: matching(/^[A-Za-z0-9+/]{59}=$/),
      }),
    ),
    names: (value): value is Readonly<Record<string, string>> => isObject(value) && Object.values(value).every(isText),
  }),
  export: shaped<BundleExport>({
    order: shaped<BundleExport['order']>({
      ...{ version: exactly(1), kind: exactly('incident.export'), person: isText, at: isTime, cluster: isText },
      ...{ incident: isText, run: isText, bundle: isHash, artefacts: listOf(isHash), reason: isText },
    }),
    keyId: isKeyId,
    signature: isSignature,
  }),
});

const encoder = new TextEncoder();

function bytesOf(base64: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
}

function hexOf(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

async function sha256(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
}

async function digestOf(value: unknown): Promise<string> {
  return hexOf(await sha256(encoder.encode(canonicalText(value))));
}

interface Signed {
  readonly of: string;
  readonly prefix: string;
  readonly value: unknown;
  readonly keyId: unknown;
  readonly signature: unknown;
}

/** The keys of a bundle, and what they have signed. */
class Keys {
  readonly #keys: { readonly of: string; readonly id: string; readonly key: Awaited<ReturnType<typeof importKey>> }[] = [];
  readonly fingerprints: KeyFingerprint[] = [];

  async add(of: string, spki: Uint8Array<ArrayBuffer>): Promise<void> {
    const fingerprint = hexOf(await sha256(spki));
    this.#keys.push({ of, id: fingerprint.slice(0, 16), key: await importKey(spki) });
    this.fingerprints.push({ of, fingerprint });
  }

  async hasSigned({ of, prefix, value, keyId, signature }: Signed): Promise<boolean> {
    if (!isSignature(signature)) return false;
    const bytes = encoder.encode(`${prefix}\n${canonicalText(value)}`);
    for (const one of this.#keys)
      if (one.of === of && one.id === keyId && (await crypto.subtle.verify('Ed25519', one.key, bytesOf(signature), bytes)))
        return true;
    return false;
  }
}

function importKey(spki: Uint8Array<ArrayBuffer>) {
  return crypto.subtle.importKey('spki', spki, 'Ed25519', false, ['verify']);
}

/** What each step needs to know about the whole bundle. */
interface Known {
  readonly content: BundleContent;
  readonly incident: string;
  readonly run: string;
  readonly cluster: string;
  readonly keys: Keys;
}

async function verdictOn(
  { content, export: signed }: Bundle,
  trusted: readonly KeyFingerprint[] | undefined,
): Promise<IntactBundle> {
  const { chain, records } = content;
  const cut = chain.lastIndexOf('@');
  const [, cluster = ''] = chain.split('/');
  const keys = await checkKeys(content.keys, trusted);
  const known = { content, incident: chain.slice(0, cut), run: chain.slice(cut + 1), cluster, keys };
  await checkExport(signed, known);
  await checkRecords(known);
  await checkRemovals(known);
  const { covered, lastCheckpoint } = await checkCheckpoints(known);
  await checkDecisions(known);
  const bodies = records.map(({ said }) => canonicalText(said?.body ?? null));
  const listed = await checkManifests(known, bodies);
  await checkArtefacts(content.artefacts, listed);
  const present = new Set(content.evidence.map((one) => one.sha256));
  const named = bodies.flatMap((body) =>
    Array.from(body.matchAll(/"manifestSha256":"([0-9a-f]{64})"/g), ([, sha256 = '']) => sha256),
  );
  const { person, at } = signed.order;
  return {
    ...{ ok: true, chain, records: records.length, covered, lastCheckpoint },
    removed: records.flatMap(({ said }, index) => (said === null ? index + 1 : [])),
    closed: records.at(-1)?.record.kind === 'incident.closed',
    exported: { person, at },
    keys: keys.fingerprints,
    compared: trusted !== undefined,
    missingManifests: [...new Set(named)].filter((sha256) => !present.has(sha256)),
  };
}

const spkiBeginning = '302a300506032b6570032100';

async function checkKeys(given: readonly BundleKey[], trusted: readonly KeyFingerprint[] | undefined): Promise<Keys> {
  const keys = new Keys();
  for (const [index, { of, spki }] of given.entries()) {
    const bytes = bytesOf(spki);
    const isDoubled = given.slice(0, index).some((other) => other.of === of && other.spki === spki);
    must(hexOf(bytes.slice(0, 12)) === spkiBeginning && bytes.length === 44 && !isDoubled, 'key-form', index);
    await keys.add(of, bytes);
    const { fingerprint } = keys.fingerprints.at(-1) ?? { fingerprint: '' };
    const isTrusted = trusted?.some((one) => one.of === of && one.fingerprint === fingerprint) ?? true;
    must(isTrusted, 'key-not-trusted', index, of);
  }
  return keys;
}

async function checkExport(
  { order, keyId, signature }: BundleExport,
  { content, incident, run, cluster, keys }: Known,
): Promise<void> {
  const { person } = order;
  must(order.bundle === (await digestOf(content)), 'content-changed', undefined, person);
  const about = [order.incident, order.run, order.cluster, ...order.artefacts];
  const held = [incident, run, cluster, ...content.artefacts.map((one) => one.sha256)];
  must(canonicalText(about) === canonicalText(held), 'order-mismatch');
  const signed = { of: `person/${person}`, prefix: 'firebreak.order.v1', value: order, keyId, signature };
  must(await keys.hasSigned(signed), 'export-forged', undefined, person);
}

async function checkRecords({ content: { chain, records }, cluster, keys }: Known): Promise<void> {
  must(records.length > 0, 'no-records');
  let previous = '0'.repeat(64);
  for (const [index, { record, said, keyId, follows, signature, hash }] of records.entries()) {
    const place = index + 1;
    must(record.chain === chain, 'record-foreign', place);
    must(record.number === place, 'record-order', place);
    const value = { ...record, follows };
    const link = await digestOf({ ...value, keyId, signature });
    must(said === null || record.content === (await digestOf(said)), 'record-changed', place);
    must(hash === (await digestOf({ link, previous })), 'record-changed', place);
    const signed = { of: `cell/${cluster}`, prefix: 'firebreak.record.v3', value, keyId, signature };
    must(await keys.hasSigned(signed), 'record-forged', place, cluster);
    previous = hash;
  }
}

async function checkRemovals({ content: { chain, records, removals }, cluster, keys }: Known): Promise<void> {
  for (const [index, { order, keyId, signature }] of removals.entries()) {
    const signed = { of: `person/${order.person}`, prefix: 'firebreak.order.v1', value: order, keyId, signature };
    const isAboutIt = order.chain === chain && order.cluster === cluster;
    must(isAboutIt && (await keys.hasSigned(signed)), 'removal-forged', index);
  }
  const peopleOf = new Map<string, Set<string>>();
  for (const { order } of removals) {
    const same = canonicalText(order.records);
    peopleOf.set(same, (peopleOf.get(same) ?? new Set()).add(order.person));
  }
  const ordered = removals.flatMap(({ order }) =>
    (peopleOf.get(canonicalText(order.records))?.size ?? 0) > 1 ? order.records : [],
  );
  for (const [index, { said }] of records.entries())
    must(said !== null || ordered.includes(index + 1), 'removal-unproven', index + 1);
}

async function checkCheckpoints({
  content: { chain, records, checkpoints },
  keys,
}: Known): Promise<Pick<IntactBundle, 'covered' | 'lastCheckpoint'>> {
  let before: BundleCheckpoint | undefined;
  for (const [index, one] of checkpoints.entries()) {
    const { header, keyId, signature, proof } = one;
    const { number, at } = header;
    must(!before || (number > before.header.number && at >= before.header.at), 'checkpoint-order', number);
    const signed = { of: 'notary', prefix: 'firebreak.checkpoint.v1', value: header, keyId, signature };
    must(await keys.hasSigned(signed), 'checkpoint-forged', number);
    if (before && number === before.header.number + 1)
      must(header.previous === (await digestOfSigned(before)), 'checkpoint-unlinked', number);
    const isLast = index === checkpoints.length - 1;
    must((proof.tree === 'all') === isLast && (await isIncluded(one)), 'checkpoint-proof', number);
    const { head } = proof;
    must(head.chain === chain && head.number >= Math.max(1, before?.proof.head.number ?? 1), 'checkpoint-head', number);
    must(head.number <= records.length, 'records-cut', number, head.number);
    must(records[head.number - 1]?.hash === head.hash, 'records-rewritten', number, head.number);
    before = one;
  }
  must(before !== undefined, 'no-checkpoint');
  const { header, proof } = before;
  const digest = await digestOfSigned(before);
  return { covered: proof.head.number, lastCheckpoint: { number: header.number, at: header.at, digest } };
}

/** The digest by which the next checkpoint refers to it. */
function digestOfSigned({ header, keyId, signature }: BundleCheckpoint): Promise<string> {
  return digestOf({ header, keyId, signature });
}

/** RFC 9162, 2.1.3.2. Numbers may be larger than 32 bits: no bitwise operators. */
async function isIncluded({ header, proof: { tree, head, index, path } }: BundleCheckpoint): Promise<boolean> {
  const [root, size] = tree === 'moved' ? [header.moved, header.movedCount] : [header.allHeads, header.chains];
  if (index >= size) return false;
  let [fn, sn] = [index, size - 1];
  let hash = hexOf(await sha256(encoder.encode(`\0${canonicalText(head)}`)));
  for (const beside of path) {
    if (sn === 0) return false;
    const isRight = fn % 2 === 1 || fn === sn;
    hash = hexOf(await sha256(fromHex(isRight ? `01${beside}${hash}` : `01${hash}${beside}`)));
    if (isRight) while (fn % 2 === 0 && fn !== 0) [fn, sn] = [fn / 2, Math.floor(sn / 2)];
    [fn, sn] = [Math.floor(fn / 2), Math.floor(sn / 2)];
  }
  return sn === 0 && hash === root;
}

function fromHex(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from({ length: text.length / 2 }, (_, index) => Number.parseInt(text.slice(2 * index, 2 * index + 2), 16));
}

type Fields = Readonly<Record<string, unknown>>;

async function checkDecisions({ content: { chain, records }, keys }: Known): Promise<void> {
  const asked = new Map<string, Fields>();
  const votes: Fields[] = [];
  let isPartial = false;
  for (const [index, { record, said }] of records.entries()) {
    const place = index + 1;
    const { kind } = record;
    if (said === null) {
      isPartial ||= ['question.asked', 'question.joined', 'question.decided', 'vote.accepted'].includes(kind);
      continue;
    }
    const { body, actor } = said;
    for (const value of [body.question, body.asked]) if (isQuestion(value)) asked.set(value.id, value);
    if (kind === 'vote.accepted') {
      const { vote, keyId, signature } = body;
      must(isVote(vote) && actor === `person/${vote.person}`, 'vote-forged', place);
      must(`${vote.incident.id}@${vote.incident.run}` === chain, 'vote-forged', place);
      const of = vote.via === 'cli' ? `person/${vote.person}` : 'desk';
      must(await keys.hasSigned({ of, prefix: 'firebreak.vote.v1', value: vote, keyId, signature }), 'vote-forged', place);
      votes.push(vote);
    }
    if (kind === 'question.comment') {
      const { remark, keyId, signature } = isObject(body.remark) ? body.remark : {};
      must(isObject(remark) && isText(remark.person) && actor === `person/${remark.person}`, 'remark-forged', place);
      const signed = { of: 'desk', prefix: 'firebreak.remark.v1', value: remark, keyId, signature };
      must(await keys.hasSigned(signed), 'remark-forged', place);
    }
    if (kind === 'question.decided' && !isPartial) must(await isProven(body, asked, votes), 'decision-unproven', place);
  }
}

function isQuestion(value: unknown): value is Fields & { readonly id: string } {
  return (
    isObject(value) &&
    isText(value.id) &&
    isText(value.requester) &&
    isObject(value.incident) &&
    Array.isArray(value.levels) &&
    Array.isArray(value.choices)
  );
}

interface VoteFields extends Fields {
  readonly person: string;
  readonly via: string;
  readonly incident: { readonly id: string; readonly run: string };
}

function isVote(value: unknown): value is VoteFields {
  return (
    isObject(value) &&
    ['id', 'question', 'questionDigest', 'choice', 'person', 'via', 'at'].every((name) => isText(value[name])) &&
    isObject(value.incident) &&
    isText(value.incident.id) &&
    isText(value.incident.run)
  );
}

async function isProven(body: Fields, asked: ReadonlyMap<string, Fields>, votes: readonly Fields[]): Promise<boolean> {
  const question = isText(body.question) ? asked.get(body.question) : undefined;
  const choices: readonly unknown[] = question && Array.isArray(question.choices) ? question.choices : [];
  const choice = choices.filter(isObject).find(({ id }) => isText(id) && id === body.choice);
  if (!question || !choice || !isCount(choice.quorum)) return false;
  const { by } = body;
  if (!listOf(isText)(by) || new Set(by).size < choice.quorum) return false;
  const digest = await digestOf(question);
  const last = new Map<unknown, unknown>();
  for (const vote of votes)
    if (vote.question === question.id && vote.questionDigest === digest) last.set(vote.person, vote.choice);
  const actors: readonly unknown[] = Array.isArray(question.actors) ? question.actors : [];
  return by.every(
    (person) => last.get(person) === choice.id && question.requester !== `person/${person}` && !actors.includes(person),
  );
}

async function checkManifests({ content, incident, run, keys }: Known, bodies: readonly string[]): Promise<readonly Fields[]> {
  const listed: Fields[] = [];
  for (const [index, { sha256: address, manifest }] of content.evidence.entries()) {
    const isNamed = address === (await digestOf(manifest)) && bodies.some((body) => body.includes(`"${address}"`));
    must(isNamed, 'manifest-unnamed', index);
    must(manifest.incident === incident && manifest.run === run, 'manifest-foreign', index);
    const { signature, ...unsigned } = manifest;
    const { keyId } = manifest;
    const signed = { of: 'evidence', prefix: 'firebreak.evidence-manifest.v1', value: unsigned, keyId, signature };
    must(await keys.hasSigned(signed), 'manifest-forged', index);
    let previous = '0'.repeat(64);
    const { custody, artefacts } = manifest;
    must(Array.isArray(custody), 'custody-broken', index);
    for (const entry of custody) {
      must(isObject(entry) && entry.previous === previous, 'custody-broken', index);
      previous = await digestOf(entry);
    }
    if (Array.isArray(artefacts)) listed.push(...artefacts.filter(isObject));
  }
  return listed;
}

async function checkArtefacts(artefacts: readonly BundleArtefact[], listed: readonly Fields[]): Promise<void> {
  for (const [index, { sha256: address, data }] of artefacts.entries()) {
    const bytes = bytesOf(data);
    const isListed = listed.some((one) => one.sha256 === address && one.bytes === bytes.length);
    must(isListed && address === hexOf(await sha256(bytes)), 'artefact-changed', index);
  }
}
