import { createHash, randomBytes } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { createEvidenceWriter, type EvidenceParts } from '../../activities/evidence/evidence-writer.ts';
import { hasCode } from '../../core/errors.ts';
import type { EvidenceBytes, EvidenceStore } from '../../core/evidence/evidence-store.ts';
import { createBucketShelf } from '../../integrations/evidence/bucket-shelf.ts';
import { createIncidentKeys } from '../../integrations/evidence/incident-keys.ts';
import { createManifestVerifier, createManifestWriter } from '../../integrations/evidence/manifest.ts';
import { createS3Store } from '../../integrations/evidence/s3-store.ts';
import { createVerifier, openSigner } from '../../integrations/keys/ed25519.ts';
import { stepContext } from '../../test/platform/kubernetes/parts/cluster.ts';
import { folderEvidence, testWrap } from '../../test/platform/kubernetes/parts/evidence.ts';
import { type S3Server, startS3Server } from '../../tools/platform/s3-server.ts';
import { type Distribution, distribution } from '../report.ts';

const sizes = [4, 256] as const;
/** Artefacts per step: the first of a step asks for the key, the others do not. */
const perStep = 10;
const nowhere = 'nowhere';

/**
 * Cost of keeping a small artefact the way the actions do: sealed, hashed twice, and durable in the store; and of the signed manifest of ten. Also the sealing
 * and hashing alone, without a store.
 */
export async function measureSmallArtefacts(options: {
  readonly stateDir: string;
  readonly times: number;
}): Promise<Readonly<Record<string, Distribution | string>>> {
  const { stateDir, times } = options;
  const folder = await folderEvidence(stateDir);
  // What a store does in addition to keeping: it names the bytes by their hash.
  const store: EvidenceStore = { ...folder.store, put: async (data) => hashed(data) };
  const figures: Record<string, Distribution | string> = {
    ...(await timesIn({ where: nowhere, parts: { ...folder, store }, times })),
    ...(await timesIn({ where: 'in a folder', parts: folder, times })),
  };
  const server = await startS3Server({ stateDir }).catch((error: unknown) => {
    if (hasCode(error, 'FB_ERR_PLATFORM_PART_MISSING')) return error.detail;
    throw error;
  });
  if (typeof server === 'string') return { ...figures, 'small artefacts in S3': `not measured: ${server}` };
  try {
    return { ...figures, ...(await timesIn({ where: 'in S3', parts: await bucketEvidence(server, stateDir), times })) };
  } finally {
    await server.stop();
  }
}

async function timesIn(options: {
  readonly where: string;
  readonly parts: EvidenceParts;
  readonly times: number;
}): Promise<Readonly<Record<string, Distribution>>> {
  const { where, parts, times } = options;
  const figures: Record<string, Distribution> = {};
  for (const size of sizes) {
    const [kept, signed]: [number[], number[]] = [[], []];
    // The first step loads and compiles code that all others reuse.
    for (let step = -1; step < times / perStep; step += 1) {
      const context = { ...stepContext(), incident: `incident/bench/${where}-${size}` };
      const { keep, close } = createEvidenceWriter(parts, { target: { name: 'pod/bench/suspect', uid: 'u' }, context });
      for (let n = 0; n < perStep; n += 1) {
        const data = randomBytes(size * 1024);
        const took = await ms(() => keep('state', { name: `${n}`, mediaType: 'text/plain', tool: 'bench' }, data));
        if (step >= 0 && n > 0) kept.push(took);
      }
      const took = await ms(() => close('bench', 'kept ten artefacts'));
      if (step >= 0) signed.push(took);
    }
    figures[`artefact of ${size} KiB kept ${where}, ms`] = distribution(kept);
    if (size === sizes[0] && where !== nowhere)
      figures[`manifest of ${perStep} artefacts kept ${where}, ms`] = distribution(signed);
  }
  return figures;
}

async function bucketEvidence(server: S3Server, stateDir: string): Promise<EvidenceParts> {
  const options = { ...server, prefix: 'bench/' };
  const dir = join(stateDir, 'bucket');
  mkdirSync(dir);
  const store = createS3Store({ ...options, scratchDir: dir });
  const keys = createIncidentKeys({ wrap: testWrap(), shelf: createBucketShelf(options) });
  const signer = await openSigner({ file: join(dir, 'evidence.pem'), create: true });
  const verifier = createVerifier({ publicKeys: [signer.publicKey] });
  const writeManifest = createManifestWriter({ store, signer });
  return { store, keys, writeManifest, verifyManifest: createManifestVerifier({ store, verifier, keys }) };
}

function hashed(data: EvidenceBytes) {
  if (!(data instanceof Uint8Array)) throw new Error('small artefacts are not streams');
  return { sha256: createHash('sha256').update(data).digest('hex'), bytes: data.byteLength };
}

async function ms(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await work();
  return performance.now() - started;
}
