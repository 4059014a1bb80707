/**
 * `npm run images:pin`: asks the registries of the images that the Dockerfiles, docker-compose.yml and the chart's values name by version alone for their digests, and
 * writes these behind the versions. `--check` asks nobody, and says which have none yet.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { parseReference, placeOf } from '../../core/cluster/image-reference.ts';
import { FirebreakError } from '../../core/errors.ts';
import type { KnownHost } from '../../integrations/registry/get.ts';
import { openRepository } from '../../integrations/registry/repository.ts';
import { reasonOf } from '../../service/process/log.ts';
import { projectRoot } from '../../service/process/project-root.ts';
import { imageFiles, unpinnedImages } from '../check/pinned.mjs';

interface PinnedImage {
  /** `postgres:17.6` */
  readonly image: string;
  readonly digest?: string;
  /** Why it has none. */
  readonly problem?: string;
}

const lookMs = 30_000;
/** Where `npm run check` has the images that may be without a digest. */
const toComeFile = 'tools/check/digests-to-come.json';

/** Asks for the digest of each unpinned image of these files, and writes it behind its tag. An image whose registry does not answer stays as it is. */
export async function pinImages(options: {
  /** The folder that the files are in. */
  readonly root: string;
  readonly files?: readonly string[];
  /** Registries besides the public ones. */
  readonly known?: readonly KnownHost[];
}): Promise<readonly PinnedImage[]> {
  const { root, files = imageFiles, known = [] } = options;
  const texts = files.map((file) => ({ path: join(root, file), text: readFileSync(join(root, file), 'utf8') }));
  const images = [...new Set(texts.flatMap(({ text }) => unpinnedImages(text)))].sort();
  const pinned = await Promise.all(images.map((image) => pin(image, known)));
  const digests = new Map(pinned.flatMap(({ image, digest }) => (digest === undefined ? [] : [[image, digest]])));
  for (const { path, text } of texts) {
    const changed = unpinnedImages(text).reduce((now, image) => {
      const digest = digests.get(image);
      return digest === undefined ? now : withDigest(now, image, digest);
    }, text);
    if (changed !== text) writeFileSync(path, changed);
  }
  const toCome: readonly string[] = JSON.parse(readFileSync(join(root, toComeFile), 'utf8'));
  const still = toCome.filter((image) => !digests.has(image));
  if (still.length < toCome.length) writeFileSync(join(root, toComeFile), `${JSON.stringify(still, undefined, 2)}\n`);
  return pinned;
}

async function pin(image: string, known: readonly KnownHost[]): Promise<PinnedImage> {
  try {
    const { repository, tag = 'latest' } = parseReference(image);
    const signal = AbortSignal.timeout(lookMs);
    const manifest = await openRepository({ ...placeOf(repository), credentials: [], known, signal }).manifest(tag);
    if (!manifest) throw new FirebreakError('FB_ERR_NOT_FOUND', `${image} is not in its registry`);
    return { image, digest: manifest.digest };
  } catch (error) {
    return { image, problem: reasonOf(error) };
  }
}

/** Behind each mention of exactly this image. */
function withDigest(text: string, image: string, digest: string): string {
  const escaped = image.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`);
  return text.replaceAll(new RegExp(`(?<![\\w./:-])${escaped}(?![\\w.@-])`, 'g'), `${image}@${digest}`);
}

if (process.argv[1] === import.meta.filename) {
  const { values } = parseArgs({ options: { check: { type: 'boolean', default: false } } });
  const root = projectRoot();
  const unpinned = () =>
    [...new Set(imageFiles.flatMap((file) => unpinnedImages(readFileSync(join(root, file), 'utf8'))))].sort();
  if (!values.check)
    for (const { image, digest, problem } of await pinImages({ root }))
      process.stdout.write(`${image}: ${digest ?? `not pinned: ${problem}`}\n`);
  for (const image of unpinned()) process.stderr.write(`${image} has no digest\n`);
  process.exitCode = unpinned().length === 0 ? 0 : 1;
}
