import { genesisHash, recordContent, type SignedRecord } from '../../core/audit/audit.ts';
import type { AuditStore } from '../../core/audit/audit-store.ts';
import { headerOf, headProof, type SignedCheckpoint } from '../../core/audit/checkpoint.ts';
import { CheckpointChain, isGenuine } from '../../core/audit/checkpoint-chain.ts';
import type {
  BundleArtefact,
  BundleCheckpoint,
  BundleContent,
  BundleKey,
  BundleManifest,
  BundleRemoval,
  BundleRow,
  ExportOrder,
} from '../../core/bundle/bundle.ts';
import { FirebreakError } from '../../core/errors.ts';
import type { EvidenceManifest } from '../../core/evidence/evidence.ts';
import { keyIdOf, type SignatureVerifier } from '../../core/messages/signing.ts';
import { recordOrderDone, recordOrderIn } from '../../core/orders/record-hold.ts';
import { canonicalJson, digestOf } from '../../core/text/digest.ts';
import { isObject } from '../../core/text/plain-json.ts';

interface BundleSources {
  readonly store: Pick<AuditStore, 'storedChain' | 'checkpoints' | 'eachOfKinds'>;
  /** The notary's keys. */
  readonly verifier: SignatureVerifier;
  /** Keys of everyone who may have signed part of it; the bundle includes those that did. */
  readonly keys: readonly BundleKey[];
  /** Returns a manifest by its address; undefined if it is unavailable. */
  readonly manifestAt: (sha256: string) => Promise<EvidenceManifest | undefined>;
  /** Returns the artefacts of the manifests that are included in full. */
  readonly artefactsOf: (manifests: readonly EvidenceManifest[]) => Promise<readonly BundleArtefact[]>;
  /** Names of people, by id. */
  readonly names: Readonly<Record<string, string>>;
  readonly madeBy: string;
  /** Key of the person who exports. */
  readonly exporterKeyId: string;
}

/**
 * Builds the content of a bundle of one chain, from the current records and checkpoints.
 * @throws FB_ERR_AUDIT_DAMAGED if the chain is not as its makers made it, FB_ERR_UNKNOWN_ID if there is none
 */
export async function bundleContent(chain: string, sources: BundleSources): Promise<BundleContent> {
  // Checkpoints first: everything they name must be in the records that are read afterwards.
  const checkpoints = await checkpointsAbout(chain, sources);
  const records = rowsOf(chain, (await sources.store.storedChain(chain)).records);
  for (const { header, proof } of checkpoints)
    if (records[proof.head.number - 1]?.hash !== proof.head.hash)
      throw new FirebreakError(
        'FB_ERR_AUDIT_DAMAGED',
        `${chain} record ${proof.head.number} is not the one in checkpoint ${header.number}`,
      );
  const removals = await removalsOf(chain, records, sources);
  const evidence: { readonly sha256: string; readonly manifest: EvidenceManifest }[] = [];
  for (const sha256 of manifestsNamed(records)) {
    const manifest = await sources.manifestAt(sha256);
    if (manifest) evidence.push({ sha256, manifest });
  }
  const artefacts = await sources.artefactsOf(evidence.map(({ manifest }) => manifest));
  // As in the file: without undefined fields.
  const manifests: readonly BundleManifest[] = evidence.map(({ sha256, manifest }) => ({ sha256, manifest: { ...manifest } }));
  const content = { chain, madeBy: sources.madeBy, records, removals, checkpoints, evidence: manifests, artefacts };
  const used = keyIdsIn([...records, ...removals, ...checkpoints, ...manifests]).add(sources.exporterKeyId);
  const keys = sources.keys.filter(({ spki }) => used.has(keyIdOf(Buffer.from(spki, 'base64'))));
  const said = canonicalJson(records);
  // The person who exports is often in no record.
  const isNamed = (id: string): boolean => said.includes(`person/${id}`) || keys.some(({ of }) => of === `person/${id}`);
  const names = Object.entries(sources.names).filter(([id]) => isNamed(id));
  return { ...content, keys, names: Object.fromEntries(names) };
}

/** What the exporting person signs: the digest covers all of the content. */
export function exportOrder(
  content: BundleContent,
  given: Pick<ExportOrder, 'person' | 'at' | 'reason' | 'cluster'>,
): ExportOrder {
  const cut = content.chain.lastIndexOf('@');
  return {
    ...{ version: 1, kind: 'incident.export', ...given },
    ...{ incident: content.chain.slice(0, cut), run: content.chain.slice(cut + 1), bundle: digestOf(content) },
    artefacts: content.artefacts.map(({ sha256 }) => sha256),
  };
}

function rowsOf(chain: string, stored: Awaited<ReturnType<AuditStore['storedChain']>>['records']): readonly BundleRow[] {
  if (stored.length === 0) throw new FirebreakError('FB_ERR_UNKNOWN_ID', `there are no records of ${chain}`);
  let previous = genesisHash;
  return stored.map(({ place, signed, hash, previous: before }, index) => {
    if (!signed || place !== index + 1 || signed.record.number !== place || before !== previous)
      throw new FirebreakError(
        'FB_ERR_AUDIT_DAMAGED',
        `${chain}: what is stored at place ${index + 1} is not the record with that number`,
      );
    previous = hash;
    return rowFrom(signed, hash);
  });
}

function rowFrom(signed: SignedRecord, hash: string): BundleRow {
  const { record, keyId, follows, salt, signature, removed } = signed;
  const { chain, number, at, kind, actor, body } = record;
  return {
    record: { chain, number, at, kind, content: recordContent(signed) },
    said: removed === undefined ? { actor, body, salt } : null,
    ...{ keyId, follows, signature, hash },
  };
}

/** Returns the orders by which the content of these records was removed. The bundle's verifier checks them; nothing is proven here. */
async function removalsOf(
  chain: string,
  records: readonly BundleRow[],
  { store }: Pick<BundleSources, 'store'>,
): Promise<readonly BundleRemoval[]> {
  if (records.every(({ said }) => said !== null)) return [];
  const removals: BundleRemoval[] = [];
  for await (const rows of store.eachOfKinds({ kinds: [recordOrderDone['records.remove']], since: '' }))
    for (const { signed } of rows) {
      const given = signed?.record.body.order;
      const order = recordOrderIn(given);
      if (order?.kind !== 'records.remove' || order.chain !== chain || !isObject(given)) continue;
      const { keyId, signature } = given;
      if (typeof keyId === 'string' && typeof signature === 'string') removals.push({ order, keyId, signature });
    }
  return removals;
}

/**
 * Returns the checkpoints that name the chain, and the newest: each with the proof for its head. Of the half a million per year, only these have their
 * signatures checked: each checkpoint names the previous one by a hash that also covers its signature, and the newest names all heads by a root, so none of the
 * others can have been changed. If the newest is not signed by the notary's current key, it matters who signed before it, and every signature is checked:
 * nobody can continue with a replaced key.
 */
async function checkpointsAbout(chain: string, sources: CheckpointSources): Promise<readonly BundleCheckpoint[]> {
  const some = await readAbout(chain, sources, 'those about the chain');
  const { verifier } = sources;
  const end = some.known.last;
  const isByKeyOfToday = end !== undefined && end.keyId === verifier.keyIds[0] && isGenuine(end, verifier, some.checked);
  const { known, found } = isByKeyOfToday ? some : await readAbout(chain, sources, 'all');
  const { last } = known;
  const head = known.heads.get(chain);
  const proof = headProof(known.heads.values(), chain);
  if (!last || !head || !proof)
    throw new FirebreakError('FB_ERR_UNAVAILABLE', `the notary has signed nothing of ${chain} yet: try again in a minute`);
  const { number, hash } = head;
  const newest: BundleCheckpoint = { ...signedHeader(last), proof: { tree: 'all', head: { chain, number, hash }, ...proof } };
  return [...found.filter(({ header }) => header.number !== newest.header.number), newest];
}

type CheckpointSources = Pick<BundleSources, 'store' | 'verifier'>;

async function readAbout(chain: string, { store, verifier }: CheckpointSources, checks: 'all' | 'those about the chain') {
  const known = new CheckpointChain({ keeps: 'last' });
  const found: BundleCheckpoint[] = [];
  let checked: SignedCheckpoint | undefined;
  for (;;) {
    const rows = await store.checkpoints({ after: known.last?.checkpoint.number ?? 0 });
    if (rows.length === 0) break;
    for (const { number, signed } of rows) {
      const proven = signed && provenBy(chain, signed);
      const isChecked = checks === 'all' || proven !== undefined;
      if (!signed || (isChecked && !isGenuine(signed, verifier, checked)) || known.follow(signed).length > 0)
        throw new FirebreakError(
          'FB_ERR_AUDIT_DAMAGED',
          `checkpoint ${number} is not signed by the notary, or one before it is missing`,
        );
      if (isChecked) checked = signed;
      if (proven) found.push(proven);
    }
  }
  for (const { text } of known.finish()) throw new FirebreakError('FB_ERR_AUDIT_DAMAGED', text);
  return { known, found, checked };
}

function provenBy(chain: string, signed: SignedCheckpoint): BundleCheckpoint | undefined {
  const { moved } = signed.checkpoint;
  const head = moved.find((one) => one.chain === chain);
  const proof = headProof(moved, chain);
  return head && proof && { ...signedHeader(signed), proof: { tree: 'moved', head, ...proof } };
}

function signedHeader({ checkpoint, keyId, signature }: SignedCheckpoint): Omit<BundleCheckpoint, 'proof'> {
  return { header: headerOf(checkpoint), keyId, signature };
}

function manifestsNamed(records: readonly BundleRow[]): ReadonlySet<string> {
  const bodies = records.map(({ said }) => canonicalJson(said?.body ?? null));
  return new Set(
    bodies.flatMap((body) => Array.from(body.matchAll(/"manifestSha256":"([0-9a-f]{64})"/g), ([, sha256 = '']) => sha256)),
  );
}

/** Returns the value of every field with that name, at any depth. */
function keyIdsIn(value: unknown, found = new Set<string>()): Set<string> {
  if (Array.isArray(value)) for (const one of value) keyIdsIn(one, found);
  else if (isObject(value))
    for (const [name, field] of Object.entries(value)) {
      if (name === 'keyId' && typeof field === 'string') found.add(field);
      else keyIdsIn(field, found);
    }
  return found;
}
