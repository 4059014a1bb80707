import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { FirebreakError } from '../../core/errors.ts';
import type { OnProgress } from '../../service/parts/cache.ts';
import { runCommand } from '../../service/parts/command.ts';
import { firebreakVersion, projectRoot } from '../../service/process/project-root.ts';
import type { Architecture } from '../image/base.ts';
import { makeFirebreakImage } from '../image/firebreak-image.ts';
import { pack } from '../image/oci.ts';
import { makeToolsImage } from '../image/tools-image.ts';
import { helmBinary } from '../platform/helm-binary.ts';
import { billOfMaterials } from './bill-of-materials.ts';
import { commandLineArchive, krewManifest } from './command-line.ts';
import { provenance, signBytes, signStatement } from './signatures.ts';

export interface ReleaseFile {
  readonly name: string;
  readonly bytes: number;
  readonly sha256: string;
}

interface ImageOrder {
  readonly architectures: readonly Architecture[];
  /** Without a tag. */
  readonly repository: string;
}

export interface ReleaseOptions {
  readonly folder: string;
  /** Absent: no image is made. */
  readonly image: ImageOrder | undefined;
  /** File with the private key for signing. Absent: nothing is signed. */
  readonly key?: string;
  /** URI of the builder, for the provenance. */
  readonly builder: string;
  /** URL of the folder from which users will download the files. */
  readonly downloads: string;
  readonly onProgress: OnProgress;
  /** The tree to release; absent: this one. */
  readonly root?: string;
}

const semver = /^\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?$/;
const chartFolder = join('deploy', 'helm', 'firebreak');

/** Names of the files made, in order; the checksums list all that come before them. */
function namesOf(version: string) {
  return {
    package: `firebreak-${version}.tgz`,
    commandLine: `firebreak-cli-${version}.tar.gz`,
    krew: 'krew.yaml',
    image: `firebreak-${version}.oci.tar`,
    tools: `firebreak-tools-${version}.oci.tar`,
    chart: `firebreak-chart-${version}.tgz`,
    manifests: 'install.yaml',
    materials: `firebreak-${version}.cdx.json`,
    notes: 'CHANGES.md',
    checksums: 'checksums.txt',
    provenance: 'provenance.intoto.json',
  } as const;
}

/** What would be made, one line each. */
export function releasePlan({
  image,
  isSigned,
}: {
  readonly image: ImageOrder | undefined;
  readonly isSigned: boolean;
}): readonly string[] {
  const version = firebreakVersion();
  const names = namesOf(version);
  return [
    `${names.package}  the npm package`,
    `${names.commandLine}  the command line, which runs from wherever it is unpacked`,
    `${names.krew}  the krew manifest that installs it as kubectl firebreak`,
    ...(image ? imageLines(image, version) : []),
    `${names.chart}  the chart`,
    `${names.manifests}  the rendered chart, for use without Helm`,
    `${names.materials}  the bill of materials: packages of the lock${image ? ' and of Debian' : ''} (CycloneDX)`,
    `${names.notes}  what has changed`,
    `${names.checksums}  SHA-256 of all these`,
    `${names.provenance}  which commit it was built from, and how (in-toto, SLSA)`,
    ...(isSigned ? [`${names.checksums}.sigstore.json, ${names.provenance}.sigstore.json  signatures, as cosign bundles`] : []),
  ];
}

function imageLines(image: ImageOrder, version: string): readonly string[] {
  const { image: ofFirebreak, tools } = namesOf(version);
  const of = (name: string, { repository, architectures }: ImageOrder): string =>
    `${name}  ${repository}:${version} for ${architectures.join(' and ')}, an OCI archive`;
  return [of(ofFirebreak, image), of(tools, toolsOf(image))];
}

/** The tools for suspect containers have a repository next to Firebreak's. */
function toolsOf({ repository, architectures }: ImageOrder): ImageOrder {
  return { repository: `${repository}-tools`, architectures };
}

/** Why this tree cannot be released as it is. */
export function releaseProblems(root: string, { allowDirty }: { readonly allowDirty: boolean }): readonly string[] {
  const version = versionIn(root);
  const chart = readFileSync(join(root, chartFolder, 'Chart.yaml'), 'utf8');
  const inChart = [...chart.matchAll(/^(?:version|appVersion): (.+)$/gm)].map(([, value]) => value);
  const problems: string[] = [];
  if (!semver.test(version)) problems.push(`package.json has the version ${version}, which is not valid`);
  if (inChart.some((one) => one !== version))
    problems.push(`the chart has ${inChart.join(' and ')}, but package.json has ${version}: run with --prepare ${version}`);
  if (changesOf(root, version) === undefined)
    problems.push(`CHANGELOG.md has no section ${version}: run with --prepare ${version}`);
  if (!allowDirty && git(root, 'status', '--porcelain') !== '')
    problems.push('the tree has uncommitted changes: commit them, or use --allow-dirty');
  return problems;
}

/** Writes a version everywhere it appears. Returns the files that changed. */
export function prepareRelease(root: string, version: string): readonly string[] {
  if (!semver.test(version))
    throw new FirebreakError('FB_ERR_INCOMPLETE', `${version} is not a version: use the form 1.2.3 or 1.2.3-rc.1`);
  const written: string[] = [];
  const replace = (file: string, change: (text: string) => string): void => {
    const path = join(root, file);
    const before = readFileSync(path, 'utf8');
    const after = change(before);
    if (after === before) return;
    writeFileSync(path, after);
    written.push(file);
  };
  const first = (text: string): string => text.replace(/"version": "[^"]+"/, `"version": "${version}"`);
  replace('package.json', first);
  // The lock’s own two lines, which come before those of any package.
  replace('package-lock.json', (text) =>
    first(text).replace(/("": \{\s+"name": "firebreak",\s+"version": )"[^"]+"/, `$1"${version}"`),
  );
  replace(join(chartFolder, 'Chart.yaml'), (text) => text.replace(/^(version|appVersion): .+$/gm, `$1: ${version}`));
  const day = new Date().toISOString().slice(0, 10);
  replace('CHANGELOG.md', (text) =>
    changesIn(text, version) === undefined ? text.replace('## Unreleased\n', `## Unreleased\n\n## ${version} – ${day}\n`) : text,
  );
  return written;
}

/** Makes the release in a folder of its own, which is either complete or unchanged. Two runs on one commit differ only in signatures. */
export async function makeRelease(options: ReleaseOptions): Promise<readonly ReleaseFile[]> {
  const { folder, image, key, builder, downloads, onProgress, root = projectRoot() } = options;
  const version = versionIn(root);
  const names = namesOf(version);
  const commit = git(root, 'rev-parse', 'HEAD');
  const at = new Date(Number(git(root, 'show', '--no-patch', '--format=%ct', 'HEAD')) * 1_000).toISOString();
  const draft = mkdtempSync(join(tmpdir(), 'firebreak-release-'));
  const put = (name: string, content: string | Uint8Array): void => writeFileSync(join(draft, name), content);
  try {
    await npmPackage(root, draft, names.package);
    put(names.commandLine, await commandLineArchive(root));
    const { sha256: ofCommandLine } = described(draft, names.commandLine);
    put(names.krew, krewManifest({ version, uri: `${downloads}/${names.commandLine}`, sha256: ofCommandLine }));
    const made = image && (await makeFirebreakImage({ folder: draft, ...image, onProgress, fresh: true, compress: true }));
    const tools = image && (await makeToolsImage({ folder: draft, ...toolsOf(image), onProgress }));
    put(names.chart, await chartArchive(root));
    put(names.manifests, await installManifests(join(draft, names.chart), onProgress));
    const lock: unknown = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'));
    const bill = billOfMaterials({
      version,
      at,
      lock,
      bundled: bundledPackages(root),
      debian: made?.debianPackages ?? [],
      ...(made && { imageDigest: made.digest }),
    });
    put(names.materials, `${JSON.stringify(bill, undefined, 2)}\n`);
    put(names.notes, changesOf(root, version) ?? changesOf(root, 'Unreleased') ?? '');
    const files = readdirSync(draft)
      .sort()
      .map((name) => described(draft, name));
    put(names.checksums, files.map(({ name, sha256 }) => `${sha256}  ${name}\n`).join(''));
    const statement = provenance({
      files,
      commit,
      at,
      builder,
      images: [made, tools].filter((one) => one !== undefined),
    });
    put(names.provenance, `${JSON.stringify(statement)}\n`);
    if (key !== undefined) {
      const pem = readFileSync(key, 'utf8');
      put(`${names.checksums}.sigstore.json`, signBytes(readFileSync(join(draft, names.checksums)), pem));
      put(`${names.provenance}.sigstore.json`, signStatement(statement, pem));
    }
    const done = readdirSync(draft)
      .sort()
      .map((name) => described(draft, name));
    replaceFolder(draft, folder);
    return done;
  } finally {
    rmSync(draft, { recursive: true, force: true });
  }
}

/** The packages in the program that the build has made. */
export function bundledPackages(root: string): readonly string[] {
  return JSON.parse(readFileSync(join(root, 'dist', 'packages.json'), 'utf8'));
}

function versionIn(root: string): string {
  const { version }: { readonly version: string } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  return version;
}

function changesOf(root: string, version: string): string | undefined {
  return changesIn(readFileSync(join(root, 'CHANGELOG.md'), 'utf8'), version);
}

/** Returns the section of a version. */
function changesIn(changelog: string, version: string): string | undefined {
  const section = changelog.split(/^(?=## )/m).find((one) => /^## \[?([^\s\]]+)/.exec(one)?.[1] === version);
  return section && `${section.trim()}\n`;
}

function described(folder: string, name: string): ReleaseFile {
  const content = readFileSync(join(folder, name));
  return { name, bytes: content.byteLength, sha256: createHash('sha256').update(content).digest('hex') };
}

function git(root: string, ...args: readonly string[]): string {
  return execFileSync('git', args, { cwd: root, encoding: 'utf8' }).trim();
}

/** What `npm publish` would send: npm gives all files the same date. */
async function npmPackage(root: string, folder: string, name: string): Promise<void> {
  const args = ['pack', '--ignore-scripts', '--loglevel=error', '--pack-destination', folder, root];
  const { code, stderr } = await runCommand({ command: 'npm', args });
  if (code !== 0 || !existsSync(join(folder, name)))
    throw new FirebreakError('FB_ERR_PLATFORM_PART_MISSING', `npm pack: ${stderr.trim().slice(-300)}`);
}

/** A chart archive as Helm reads it. `helm package` would put the current date on its files. */
async function chartArchive(root: string): Promise<Uint8Array> {
  const work = mkdtempSync(join(tmpdir(), 'firebreak-chart-'));
  try {
    cpSync(join(root, chartFolder), join(work, 'firebreak'), { recursive: true });
    await pack(work, join(work, 'chart.tar'), '', 'firebreak');
    return gzipSync(readFileSync(join(work, 'chart.tar')), { level: 9 });
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

const head = `# Firebreak in one pod (profile: single) with a Temporal for a trial, made from the chart with deploy/install/values.yaml: kubectl apply --filename install.yaml
# First run kubectl create namespace firebreak, and create the Secrets firebreak-alerts and firebreak-slack. Edit cluster, roster and slack in each file of the ConfigMap firebreak.
# With your own Temporal: set temporal.address there, too, and leave out the objects named firebreak-temporal.
# It also works as a base for Kustomize: docs/install.md.
`;

/** Renders `install.yaml` from the chart, given as a folder or an archive. */
export async function installManifests(chart: string, onProgress: OnProgress): Promise<string> {
  const helm = await helmBinary(onProgress);
  if (!helm) throw new FirebreakError('FB_ERR_PLATFORM_PART_MISSING', 'Helm, to render the manifests: install it, or Go');
  const values = join(projectRoot(), 'deploy', 'install', 'values.yaml');
  const args = ['template', 'firebreak', chart, '--namespace', 'firebreak', '--values', values];
  const { code, stdout, stderr } = await runCommand({ command: helm, args });
  if (code !== 0) throw new FirebreakError('FB_ERR_INTERNAL', `helm template: ${stderr.trim().slice(-500)}`);
  return `${head}${stdout}`;
}

function replaceFolder(draft: string, folder: string): void {
  const beside = `${folder}.new`;
  rmSync(beside, { recursive: true, force: true });
  cpSync(draft, beside, { recursive: true });
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(join(folder, '..'), { recursive: true });
  renameSync(beside, folder);
}
