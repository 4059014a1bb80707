/**
 * `npm run images:pin`: asks the registries of the images that the Dockerfiles, docker-compose.yml and the chart's values name. An image with only a version
 * gets its digest after the version; for one with a digest, it checks that the registry has that digest.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseReference, placeOf } from '../../core/cluster/image-reference.ts';
import { FirebreakError } from '../../core/errors.ts';
import type { KnownHost } from '../../integrations/registry/get.ts';
import { openRepository } from '../../integrations/registry/repository.ts';
import { reasonOf } from '../../service/process/log.ts';
import { projectRoot } from '../../service/process/project-root.ts';
import { imageFiles, isPinned, outsideImages } from '../check/pinned.mjs';

interface AskedImage {
  /** `postgres:17.6`, or with its digest. */
  readonly image: string;
  /** The digest in its registry. */
  readonly digest?: string;
  /** Why its digest is unknown. */
  readonly problem?: string;
}

const lookMs = 30_000;

/** Looks up each image of these files, and adds the digest after a tag that has none. An image whose registry does not answer is left unchanged. */
export async function pinImages(options: {
  /** The folder that contains the files. */
  readonly root: string;
  readonly files?: readonly string[];
  /** Registries in addition to the public ones. */
  readonly known?: readonly KnownHost[];
}): Promise<readonly AskedImage[]> {
  const { root, files = imageFiles, known = [] } = options;
  const texts = files.map((file) => ({ path: join(root, file), text: readFileSync(join(root, file), 'utf8') }));
  const images = [...new Set(texts.flatMap(({ text }) => outsideImages(text)))].sort();
  const asked = await Promise.all(images.map((image) => ask(image, known)));
  for (const { path, text } of texts) {
    const changed = asked.reduce(
      (now, { image, digest }) => (digest === undefined || isPinned(image) ? now : withDigest(now, image, digest)),
      text,
    );
    if (changed !== text) writeFileSync(path, changed);
  }
  return asked;
}

async function ask(image: string, known: readonly KnownHost[]): Promise<AskedImage> {
  try {
    const { repository, tag = 'latest', digest = tag } = parseReference(image);
    const signal = AbortSignal.timeout(lookMs);
    const manifest = await openRepository({ ...placeOf(repository), credentials: [], known, signal }).manifest(digest);
    if (!manifest) throw new FirebreakError('FB_ERR_NOT_FOUND', `${image} is not in its registry`);
    return { image, digest: manifest.digest };
  } catch (error) {
    return { image, problem: reasonOf(error) };
  }
}

/** Adds the digest after each mention of exactly this image. */
function withDigest(text: string, image: string, digest: string): string {
  const escaped = image.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`);
  return text.replaceAll(new RegExp(`(?<![\\w./:-])${escaped}(?![\\w.@-])`, 'g'), `${image}@${digest}`);
}

if (process.argv[1] === import.meta.filename) {
  const asked = await pinImages({ root: projectRoot() });
  for (const { image, digest, problem } of asked) process.stdout.write(`${image}: ${digest ?? `unknown: ${problem}`}\n`);
  process.exitCode = asked.some(({ problem }) => problem !== undefined) ? 1 : 0;
}
