import { isUtf8 } from 'node:buffer';
import { mkdir, open, writeFile } from 'node:fs/promises';
import { dirname, join, resolve, sep } from 'node:path';
import { FirebreakError } from '../../../core/errors.ts';
import type { Artefact, EvidenceManifest } from '../../../core/evidence/evidence.ts';
import { manifestBytes } from '../../../core/evidence/evidence-manifest.ts';
import type { ReadEvidence } from '../../../core/orders/order.ts';
import { counted } from '../../../core/text/counted.ts';
import { canonicalJson } from '../../../core/text/digest.ts';
import { ensureFolder } from '../../../integrations/ensure-folder.ts';
import { readArtefact, readManifest } from '../../../integrations/evidence/manifest.ts';
import { giveOrder, signedOrder } from '../../incidents/orders.ts';
import type { CommonOptions } from '../options.ts';
import { print, printable, printJson } from '../output.ts';
import { withSession } from '../session.ts';
import type { EvidenceGetOptions, EvidenceReadOptions, Wanted } from './reader.ts';

interface EvidencePackage {
  readonly address: string;
  readonly manifest: EvidenceManifest;
  /** The artefacts that are handed out. */
  readonly artefacts: readonly Artefact[];
}

/** `firebreak evidence get`: puts the access on record first, then writes into a folder that can be checked without Firebreak. @throws FB_ERR_UNKNOWN_ID. */
export async function getEvidence(
  { reader, addresses }: Wanted,
  only: string | undefined,
  options: EvidenceGetOptions,
): Promise<void> {
  const parcels = await parcelsOf({ reader, addresses }, only);
  const [first] = parcels;
  if (!first) throw new FirebreakError('FB_ERR_UNKNOWN_ID', 'nothing is kept');
  await putOnRecord(parcels, first.manifest.incident, options);
  const out = resolve(options.out);
  await newFolder(out);
  for (const parcel of parcels) {
    const folder = parcels.length === 1 ? out : join(out, parcel.address.slice(0, 12));
    await writeEvidencePackage(folder, parcel, (artefact) => opened(reader, artefact));
  }
  const written = parcels.flatMap(({ address, artefacts }) =>
    artefacts.map(({ name, sha256 }) => ({ manifest: address, name, sha256 })),
  );
  if (options.json) return printJson({ folder: out, written });
  const count = counted(written.length, 'artefact');
  print(printable(`Wrote ${count} and the signed manifest to ${out}. It is on record that ${options.as} has them.`));
}

/** Manifests with those of their artefacts that are wanted. @throws FB_ERR_UNKNOWN_ID, which names those that are kept. */
async function parcelsOf({ reader, addresses }: Wanted, only: string | undefined): Promise<readonly EvidencePackage[]> {
  const parcels: EvidencePackage[] = [];
  for (const address of addresses) {
    const manifest = await readManifest({ ...reader, sha256: address });
    parcels.push({ address, manifest, artefacts: manifest.artefacts });
  }
  if (only === undefined) return parcels.filter(({ artefacts }) => artefacts.length > 0);
  const found = parcels.flatMap((parcel) => {
    const artefacts = parcel.artefacts.filter(({ name, sha256 }) => name === only || sha256 === only);
    return artefacts.length > 0 ? [{ ...parcel, artefacts }] : [];
  });
  if (found.length > 0) return found;
  const names = [...new Set(parcels.flatMap(({ artefacts }) => artefacts.map(({ name }) => name)))];
  const kept = names.length === 0 ? 'nothing is kept' : `kept are ${names.slice(0, mostNames).join(', ')}`;
  throw new FirebreakError('FB_ERR_UNKNOWN_ID', `there is no artefact ${only}: ${kept}`);
}

/** Maximum number of names in a message. */
const mostNames = 20;
/** A terminal, and the memory of this process, are for less than a whole disk. */
const longestShown = 64 * 1_048_576;

/** `firebreak evidence show`: puts the access on record, then prints one artefact. Only a pipe gets bytes that could control a terminal. */
export async function showEvidence({ reader, addresses }: Wanted, only: string, options: EvidenceReadOptions): Promise<void> {
  const parcels = await parcelsOf({ reader, addresses }, only);
  const found = new Map(parcels.flatMap(({ artefacts }) => artefacts.map((artefact) => [artefact.sha256, artefact])));
  const [artefact, ...others] = found.values();
  const [parcel] = parcels;
  if (!artefact || !parcel) throw new FirebreakError('FB_ERR_UNKNOWN_ID', `there is no artefact ${only}`);
  if (others.length > 0)
    throw new FirebreakError(
      'FB_ERR_INCOMPLETE',
      `${found.size} artefacts are called ${only}: name one by its SHA-256: ${[...found.keys()].join(', ')}`,
    );
  if (artefact.bytes > longestShown)
    throw new FirebreakError('FB_ERR_INCOMPLETE', `${only} is too long to show: use firebreak evidence get with --out`);
  await putOnRecord([{ ...parcel, artefacts: [artefact] }], parcel.manifest.incident, options);
  const parts: Uint8Array[] = [];
  // All of it before anything is printed: its hash is checked at the end.
  for await (const part of opened(reader, artefact)) parts.push(part);
  printContent(Buffer.concat(parts), { name: artefact.name, sha256: artefact.sha256 }, options);
}

/** Exported for its test. */
export function printContent(
  content: Buffer,
  about: { readonly name: string; readonly sha256: string },
  { json, isTerminal = process.stdout.isTTY }: CommonOptions & { readonly isTerminal?: boolean },
): void {
  const text = isUtf8(content) && !content.includes(0) ? content.toString() : undefined;
  if (json) printJson({ ...about, ...(text === undefined ? { base64: content.toString('base64') } : { text }) });
  else if (!isTerminal) process.stdout.write(content);
  else if (text === undefined)
    throw new FirebreakError(
      'FB_ERR_INCOMPLETE',
      `${about.name} is not text: send it to a file or a program, or use evidence get`,
    );
  else for (const line of text.replace(/\n$/, '').split('\n')) print(printable(line));
}

async function putOnRecord(parcels: readonly EvidencePackage[], incident: string, options: EvidenceReadOptions): Promise<void> {
  const addresses = parcels.flatMap(({ address, manifest, artefacts }) =>
    artefacts.length === manifest.artefacts.length ? [address] : artefacts.map(({ sha256 }) => sha256),
  );
  await withSession(options, async (session) => {
    const order: ReadEvidence = {
      version: 1,
      kind: 'evidence.read',
      person: options.as,
      at: new Date().toISOString(),
      cluster: session.config.cluster,
      incident,
      addresses: [...new Set(addresses)],
      reason: options.reason,
    };
    await giveOrder(session, await signedOrder(order, options.key), (_, ours) =>
      ours.find(({ kind }) => kind === 'evidence.read'),
    );
  });
}

async function newFolder(folder: string): Promise<void> {
  try {
    await ensureFolder(dirname(folder));
    await mkdir(folder, { mode: 0o700 });
  } catch {
    throw new FirebreakError(
      'FB_ERR_INCOMPLETE',
      `${folder} already exists, or cannot be created: evidence goes into a new folder`,
    );
  }
}

/** Names come from a signed manifest but contain container names: none may lead out of the folder. */
function inside(folder: string, name: string): string {
  const path = resolve(folder, 'artefacts', name);
  if (!path.startsWith(join(folder, 'artefacts') + sep))
    throw new FirebreakError('FB_ERR_EVIDENCE_DAMAGED', 'an artefact has a name that leads out of its folder');
  return path;
}

/** The artefact in its original form. @throws FB_ERR_FILE_MISSING if it is sealed and the key is not available here. */
export function opened(
  { store, keys, opensWith }: Pick<Wanted['reader'], 'store' | 'keys' | 'opensWith'>,
  artefact: Artefact,
): AsyncIterable<Uint8Array> {
  if (!artefact.sealed) return store.read(artefact.sha256);
  if (!keys) throw new FirebreakError('FB_ERR_FILE_MISSING', `${artefact.name} is sealed, and ${opensWith} is missing here`);
  return readArtefact({ store, keys }, artefact);
}

/** Writes a file of any size. If its hash turns out to be wrong at the end, the file is kept for inspection and the error names it. */
async function writeStream(path: string, data: AsyncIterable<Uint8Array>): Promise<void> {
  await ensureFolder(dirname(path), 0o700);
  const file = await open(path, 'wx', 0o600);
  try {
    for await (const part of data) await file.appendFile(part);
  } finally {
    await file.close();
  }
}

/**
 * Writes the artefacts, `SHA256SUMS` over them, the manifest as it is stored, its signed bytes and the signature: `sha256sum` and the public key are enough to
 * check all of it.
 */
export async function writeEvidencePackage(
  folder: string,
  parcel: EvidencePackage,
  read: (artefact: Artefact) => AsyncIterable<Uint8Array>,
): Promise<void> {
  const { manifest, artefacts } = parcel;
  const write = async (path: string, data: Uint8Array | string): Promise<void> => {
    await ensureFolder(dirname(path), 0o700);
    await writeFile(path, data, { mode: 0o600, flag: 'wx' });
  };
  for (const artefact of artefacts) await writeStream(inside(folder, artefact.name), read(artefact));
  const { signature, ...unsigned } = manifest;
  await write(join(folder, 'SHA256SUMS'), artefacts.map(({ name, sha256 }) => `${sha256}  artefacts/${name}\n`).join(''));
  await write(join(folder, 'manifest.json'), canonicalJson(manifest));
  await write(join(folder, 'manifest.signed'), manifestBytes(unsigned));
  await write(join(folder, 'manifest.sig'), Buffer.from(signature, 'base64'));
}
