import { createHash } from 'node:crypto';
import { gunzipSync, gzipSync } from 'node:zlib';
import { z } from 'zod';
import { FirebreakError } from '../../core/errors.ts';
import type { EvidenceShelf } from '../../core/evidence/evidence-shelf.ts';
import type { SignatureVerifier, Signer } from '../../core/messages/signing.ts';
import {
  type PackRelease,
  packName,
  type ReleaseStatement,
  releaseBytes,
  releaseVersion,
  type StoredBuild,
  storedBuildBytes,
} from '../../core/playbook/release.ts';
import { canonicalJson } from '../../core/text/digest.ts';
import { type PackFiles, packOf } from './pack-files.ts';

const base64 = z.string().regex(/^[A-Za-z0-9+/]*={0,2}$/);
const signature = z.string().regex(/^[A-Za-z0-9+/]{86}==$/);
const keyId = z.string().regex(/^[0-9a-f]{16}$/);
const buildId = z.string().regex(/^[0-9a-f]{16}$/);

/** Maximum number of named histories that take another path. */
export const mostChanged = 50;
export const longestReason = 500;

const releaseSchema = z.strictObject({
  statement: z.strictObject({
    format: z.literal(1),
    pack: z.string().regex(packName),
    version: z.string().regex(releaseVersion),
    integrity: z.string().regex(/^sha512-[A-Za-z0-9+/]{86}==$/),
    main: z.string().max(100),
    builtWith: z.strictObject({ firebreak: z.string().max(50), build: buildId }),
    playbooks: z.array(z.json()).min(1).max(500),
    actions: z.array(z.json()).max(100),
    rights: z.array(
      z.strictObject({
        apiGroup: z.string(),
        resource: z.string(),
        verbs: z.array(z.string()),
        in: z.literal('own namespace').exactOptional(),
      }),
    ),
    replayed: z.strictObject({ golden: z.int().min(0), incidents: z.int().min(0) }),
    changed: z
      .strictObject({
        count: z.int().min(1),
        histories: z.array(z.string().max(1_000)).min(1).max(mostChanged),
        because: z.string().min(1).max(longestReason),
      })
      .exactOptional(),
    despite: z
      .strictObject({
        count: z.int().min(1),
        findings: z.array(z.string().max(1_000)).min(1).max(mostChanged),
        because: z.string().min(1).max(longestReason),
      })
      .exactOptional(),
    at: z.iso.datetime(),
  }),
  keyId,
  signature,
  files: z.record(z.string().max(300), base64),
});

const buildSchema = z.strictObject({
  build: z.strictObject({
    format: z.literal(1),
    id: buildId,
    cluster: z.string().min(1).max(100),
    sha256: z.string().regex(/^[0-9a-f]{64}$/),
  }),
  keyId,
  signature,
  code: base64,
});

/** Parses unchecked content in or next to the store: anyone who may write there could have written it. */
function releaseIn(bytes: Uint8Array): PackRelease | undefined {
  return parsed(releaseSchema, bytes);
}

function parsed<Schema extends z.ZodType>(schema: Schema, bytes: Uint8Array): z.output<Schema> | undefined {
  try {
    return schema.safeParse(JSON.parse(Buffer.from(bytes).toString('utf8'))).data;
  } catch {
    return undefined;
  }
}

/** A release signed by a publisher, whose code matches the signature. What it declares is still checked against its code. */
export interface ProvenRelease {
  readonly statement: ReleaseStatement;
  readonly files: PackFiles;
}

/**
 * @param is the expected pack, and the version if one is named.
 * @throws Error worded for the person who wants to run it.
 */
export function provenRelease(
  bytes: Uint8Array,
  publishers: Pick<SignatureVerifier, 'verify'>,
  is: { readonly pack: string; readonly version?: string },
): ProvenRelease {
  const name = is.version === undefined ? is.pack : `${is.pack}@${is.version}`;
  const release = releaseIn(bytes);
  if (!release) throw new Error(`what is stored as ${name} is no release`);
  const { statement, keyId: by, signature: given, files: encoded } = release;
  // Must come first: nothing in it counts before the signature is verified.
  if (!publishers.verify({ keyId: by, bytes: releaseBytes(statement), signature: given }))
    throw new Error(`${name} is not signed by a publisher that releases.publishers names`);
  if (statement.pack !== is.pack || (is.version !== undefined && statement.version !== is.version))
    throw new Error(`what is stored as ${name} is ${statement.pack}@${statement.version}`);
  const files = packOf(new Map(Object.entries(encoded).map(([path, text]) => [path, Buffer.from(text, 'base64')])), name);
  if (files.integrity !== statement.integrity) throw new Error(`the code of ${name} is not what its publisher signed`);
  if (files.main !== statement.main) throw new Error(`${name} starts with ${files.main}, which is not what its publisher signed`);
  return { statement, files };
}

/** Signs a version of a pack. */
export async function signedRelease(statement: ReleaseStatement, { files }: PackFiles, signer: Signer): Promise<PackRelease> {
  return {
    statement,
    keyId: signer.keyId,
    signature: await signer.sign(releaseBytes(statement)),
    files: Object.fromEntries([...files].map(([path, content]) => [path, content.toString('base64')])),
  };
}

const largestBuild = 64 * 1024 * 1024;

const mostListed = 20;

/**
 * Where versions of packs and builds are stored for all cells: a folder or a bucket. Nothing in it is ever overwritten; readers verify it by hash and
 * signature.
 */
export class ReleaseStore {
  readonly #shelf: EvidenceShelf;

  constructor(shelf: EvidenceShelf) {
    this.#shelf = shelf;
  }

  /** @throws FB_ERR_REFUSED if this version exists with other code; FB_ERR_UNAVAILABLE. */
  async publish(release: PackRelease): Promise<'published' | 'known'> {
    const { pack, version, integrity } = release.statement;
    const name = releaseName(pack, version);
    const known = await this.#shelf.get(name);
    if (known === undefined) await this.#shelf.add(name, Buffer.from(canonicalJson(release)));
    // If two publish at once, the first counts.
    const kept = releaseIn(known ?? (await this.#shelf.get(name)) ?? Buffer.of());
    if (kept?.statement.integrity !== integrity || kept.keyId !== release.keyId)
      throw new FirebreakError(
        'FB_ERR_REFUSED',
        `${pack}@${version} is published already, with other code or by another key: give it a new version in its firebreak.pack.ts`,
      );
    return known === undefined ? 'published' : 'known';
  }

  /** Returns the release as stored: see `provenRelease`. @throws FB_ERR_NOT_FOUND, FB_ERR_UNAVAILABLE. */
  async release(pack: string, version: string): Promise<Uint8Array> {
    const found = await this.#shelf.get(releaseName(pack, version));
    if (!found)
      throw new FirebreakError(
        'FB_ERR_NOT_FOUND',
        `${pack}@${version} is not in the store of releases: firebreak pack releases ${pack} lists what is`,
      );
    return found;
  }

  /** Returns the names of the packs with any content; none if the store does not list its folders. */
  async packs(): Promise<readonly string[]> {
    const found: string[] = [];
    for await (const name of this.#shelf.names('releases')) found.push(name);
    return found.filter((name) => !name.endsWith('.json')).slice(0, mostListed);
  }

  /** Returns the versions of a pack, by their names: only the signature proves what a version is. */
  async versions(pack: string): Promise<readonly string[]> {
    const found: string[] = [];
    for await (const name of this.#shelf.names(`releases/${pack}`)) {
      const version = name.endsWith('.json') ? name.slice(0, -'.json'.length) : '';
      if (releaseVersion.test(version)) found.push(version);
    }
    return found;
  }

  /** Stores the code of a build. An existing one is left as it is. */
  async keepBuild(made: { readonly id: string; readonly cluster: string; readonly code: Uint8Array; readonly signer: Signer }) {
    const { id, cluster, code, signer } = made;
    const name = buildName(cluster, id);
    if (await this.#shelf.get(name)) return;
    const build: StoredBuild = { format: 1, id, cluster, sha256: sha256(code) };
    const kept = { build, keyId: signer.keyId, signature: await signer.sign(storedBuildBytes(build)) };
    await this.#shelf.add(name, Buffer.from(JSON.stringify({ ...kept, code: gzipSync(code).toString('base64') })));
  }

  /**
   * Returns the code of a build that a cell of this cluster has made and signed.
   * @throws FB_ERR_NOT_FOUND; FB_ERR_REFUSED if the stored code was signed by no trusted cell, or is not what was signed.
   */
  async build(wanted: {
    readonly id: string;
    readonly cluster: string;
    readonly isCell: (signed: { readonly keyId: string; readonly bytes: Uint8Array; readonly signature: string }) => boolean;
  }): Promise<Uint8Array> {
    const { id, cluster, isCell } = wanted;
    const stored = await this.#shelf.get(buildName(cluster, id));
    if (!stored) throw new FirebreakError('FB_ERR_NOT_FOUND', `the build ${id} is not in the store of releases`);
    const kept = parsed(buildSchema, stored);
    if (!kept || kept.build.id !== id || kept.build.cluster !== cluster)
      throw new FirebreakError('FB_ERR_REFUSED', `what is stored as the build ${id} is something else`);
    if (!isCell({ keyId: kept.keyId, bytes: storedBuildBytes(kept.build), signature: kept.signature }))
      throw new FirebreakError('FB_ERR_REFUSED', `the build ${id} in the store is not signed by a trusted cell of ${cluster}`);
    const code = unpacked(kept.code);
    // The id is part of the hash: a build is what its name says, whoever signed it.
    if (!code || sha256(code) !== kept.build.sha256 || !kept.build.sha256.startsWith(id))
      throw new FirebreakError('FB_ERR_REFUSED', `the code of the build ${id} in the store is not what was signed`);
    return code;
  }
}

function releaseName(pack: string, version: string): string {
  if (!packName.test(pack) || !releaseVersion.test(version))
    throw new FirebreakError('FB_ERR_UNKNOWN_ID', `${pack}@${version} is not a version of a pack: use PACK@1.2.3`);
  return `releases/${pack}/${version}.json`;
}

function buildName(cluster: string, id: string): string {
  return `builds/${cluster}/${id}.json`;
}

function sha256(code: Uint8Array): string {
  return createHash('sha256').update(code).digest('hex');
}

function unpacked(code: string): Uint8Array | undefined {
  try {
    return gunzipSync(Buffer.from(code, 'base64'), { maxOutputLength: largestBuild });
  } catch {
    return undefined;
  }
}
