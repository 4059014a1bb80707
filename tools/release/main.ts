/** `npm run release [-- --dry-run] [--skip-image] [--key FILE] …`: makes everything that a release contains, in one folder. */
import { spawnSync } from 'node:child_process';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { FirebreakError } from '../../core/errors.ts';
import { bytesText } from '../../service/commands/output.ts';
import { firebreakVersion, projectRoot } from '../../service/process/project-root.ts';
import { architecturesIn, missingForImages } from '../image/base.ts';
import { makeRelease, prepareRelease, releasePlan, releaseProblems } from './release.ts';

const usage = `npm run release [-- OPTION …]
  --dry-run            show what would be made, and what stands in the way
  --prepare VERSION    write the version into package.json, the lock, the chart and the changelog, and exit
  --out FOLDER         where the release goes (default: .release)
  --skip-image         everything but the image, and no Debian packages in the bill of materials
  --arch LIST          of the image: amd64, arm64 or both (default: both)
  --repository NAME    of the image, without tag
  --key FILE           EC P-256 private key (PKCS#8, PEM) that signs, as cosign does; without it nothing is signed
  --builder URI        the builder, for the provenance
  --downloads URL      the folder from which the files will be downloaded, for krew's manifest
  --allow-dirty        also from a tree with uncommitted changes`;

const { values } = parseArgs({
  options: {
    'dry-run': { type: 'boolean', default: false },
    prepare: { type: 'string' },
    out: { type: 'string', default: join(projectRoot(), '.release') },
    'skip-image': { type: 'boolean', default: false },
    arch: { type: 'string', default: 'amd64,arm64' },
    repository: { type: 'string', default: 'firebreak.local/firebreak' },
    key: { type: 'string' },
    builder: { type: 'string', default: 'https://firebreak.dev/builders/by-hand' },
    downloads: { type: 'string', default: `https://firebreak.dev/releases/v${firebreakVersion()}` },
    'allow-dirty': { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});
const say = (line: string): void => void process.stderr.write(`${line}\n`);

async function main(): Promise<number> {
  if (values.help) {
    say(usage);
    return 0;
  }
  if (values.prepare !== undefined) {
    for (const file of prepareRelease(projectRoot(), values.prepare)) say(`wrote ${file}`);
    return 0;
  }
  const architectures = architecturesIn(values.arch);
  const problems = [
    ...releaseProblems(projectRoot(), { allowDirty: values['allow-dirty'] }),
    ...(architectures === undefined ? [`--arch ${values.arch}: use amd64, arm64, or both separated by a comma`] : []),
    ...(values['skip-image'] ? [] : [missingForImages()].flatMap((one) => (one ? [`an image needs ${one}`] : []))),
  ];
  const image = values['skip-image'] ? undefined : { architectures: architectures ?? [], repository: values.repository };
  if (values['dry-run'])
    for (const line of releasePlan({ image, isSigned: values.key !== undefined })) process.stdout.write(`${line}\n`);
  for (const problem of problems) say(problem);
  if (problems.length > 0) return 2;
  if (values['dry-run']) return 0;
  // The build does not check types.
  const check = join(projectRoot(), 'tools', 'check', 'check.mjs');
  if (spawnSync(process.execPath, [check], { stdio: ['ignore', 2, 2] }).status !== 0) return 2;
  const { key, builder, downloads } = values;
  const files = await makeRelease({
    folder: resolve(values.out),
    image,
    builder,
    downloads,
    onProgress: say,
    ...(key !== undefined && { key }),
  });
  for (const { name, bytes, sha256 } of files) process.stdout.write(`${sha256}  ${name}  ${bytesText(bytes)}\n`);
  if (key === undefined) say('nothing is signed: use --key FILE or cosign sign-blob');
  return 0;
}

try {
  process.exitCode = await main();
} catch (error) {
  if (!(error instanceof FirebreakError)) throw error;
  say(`${error.message}\n→ ${error.remedy}`);
  process.exitCode = 1;
}
