/** Checks whether everything external is pinned to its exact bytes: packages by integrity, base images by digest. Run alone it checks this tree. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The lock files of the tree and of the documentation's site. */
const lockFiles = ['package-lock.json', 'tools/site/package-lock.json'];

/** Files that name the images something is built from or run from. */
export const imageFiles = [
  'deploy/Dockerfile',
  'deploy/forensics/Dockerfile',
  'deploy/helm/firebreak/values.yaml',
  'docker-compose.yml',
];

/** @param {{ readonly packages?: Readonly<Record<string, Readonly<Record<string, unknown>>>> }} lock */
export function packageFaults({ packages = {} }) {
  return Object.entries(packages).flatMap(([place, { link, integrity }]) => {
    // The first entry is this package itself.
    if (place === '' || link === true) return [];
    return typeof integrity === 'string' && /^sha512-[A-Za-z0-9+/]{86}==$/.test(integrity)
      ? []
      : [`${place} has no integrity (sha512)`];
  });
}

/**
 * Returns the images that are external, and so must be pinned.
 * @param {string} text of a Dockerfile, a compose file or a chart's values
 */
export function outsideImages(text) {
  const stages = new Set([...text.matchAll(/^FROM\s.*\sAS\s+(\S+)/gim)].map(([, name]) => name));
  const images = [...text.matchAll(/^\s*(?:FROM|image:)[ \t]+(?:--\S+[ \t]+)*["']?([^\s"']+)/gim)].map(([, image]) => image);
  return images.filter((image) => image !== 'scratch' && !stages.has(image));
}

/** @param {string} image */
export function isPinned(image) {
  return /@sha256:[0-9a-f]{64}$/.test(image);
}

/** @param {string} text of a Dockerfile, a compose file or a chart's values */
export function imageFaults(text) {
  return outsideImages(text)
    .filter((image) => !isPinned(image))
    .map((image) => `${image} is not pinned by its digest`);
}

/** @param {string} root */
export function pinnedFaults(root) {
  const read = (path) => readFileSync(join(root, path), 'utf8');
  const packages = lockFiles.flatMap((file) => packageFaults(JSON.parse(read(file))).map((fault) => `${file}: ${fault}`));
  const images = imageFiles.flatMap((file) => imageFaults(read(file)).map((fault) => `${file}: ${fault}`));
  return [...packages, ...images];
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const faults = pinnedFaults(fileURLToPath(new URL('../..', import.meta.url)));
  for (const fault of faults) process.stderr.write(`${fault}\n`);
  process.exitCode = faults.length === 0 ? 0 : 1;
}
