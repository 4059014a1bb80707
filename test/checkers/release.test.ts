import { execFileSync } from 'node:child_process';
import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { bundleFromJSON } from '@sigstore/bundle';
import { toSignedEntity, Verifier } from '@sigstore/verify';
import { parse, parseAllDocuments } from 'yaml';
import { runCommand } from '../../service/parts/command.ts';
import { firebreakVersion, projectRoot } from '../../service/process/project-root.ts';
import { architecturesIn } from '../../tools/image/base.ts';
import { helmBinary } from '../../tools/platform/helm-binary.ts';
import { krewBinary } from '../../tools/platform/krew-binary.ts';
import { billOfMaterials } from '../../tools/release/bill-of-materials.ts';
import {
  bundledPackages,
  makeRelease,
  prepareRelease,
  type ReleaseFile,
  releasePlan,
  releaseProblems,
} from '../../tools/release/release.ts';
import { ensureBuilt } from '../../tools/setup/build.mjs';

const folder = mkdtempSync(join(tmpdir(), 'firebreak-releases-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const version = firebreakVersion();
const helm = await helmBinary(() => {});
const krew = await krewBinary(() => {});
const say = (): void => {};

const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const keyFile = join(folder, 'cosign.pem');
writeFileSync(keyFile, privateKey.export({ type: 'pkcs8', format: 'pem' }));

function verifierOf(key: KeyObject): Verifier {
  const publicKey = createPublicKey(createPrivateKey(key.export({ type: 'pkcs8', format: 'pem' })));
  const trusted = { publicKey, validFor: () => true };
  const material = { certificateAuthorities: [], timestampAuthorities: [], tlogs: [], ctlogs: [], publicKey: () => trusted };
  return new Verifier(material, { tlogThreshold: 0, ctlogThreshold: 0, timestampThreshold: 0 });
}

(helm ? describe : describe.skip)(helm ? 'a release' : 'a release (skipped: neither Helm nor Go is here)', () => {
  const [first, second] = [join(folder, 'first'), join(folder, 'second')];
  const options = {
    image: undefined,
    key: keyFile,
    builder: 'https://example.com/builder',
    downloads: 'https://example.com/v1',
    onProgress: say,
  };
  let made: readonly ReleaseFile[] = [];
  beforeAll(async () => {
    await ensureBuilt({ node: process.execPath });
    made = await makeRelease({ ...options, folder: first });
  });
  const text = (name: string): string => readFileSync(join(first, name), 'utf8');

  test('has the same bytes when it is made again, except for the signatures', async () => {
    mkdirSync(second);
    writeFileSync(join(second, 'of-before'), 'what was there');
    const again = await makeRelease({ ...options, folder: second });
    const unsigned = (files: readonly ReleaseFile[]) => files.filter(({ name }) => !name.endsWith('.sigstore.json'));
    expect(unsigned(again)).toEqual(unsigned(made));
    expect(readdirSync(second).sort()).toEqual(again.map(({ name }) => name));
    expect(again).toHaveLength(11);
  });

  test('has checksums that sha256sum accepts, and a provenance that names the commit and each file', () => {
    execFileSync('sha256sum', ['--check', '--strict', '--quiet', 'checksums.txt'], { cwd: first });
    const { predicate, subject } = JSON.parse(text('provenance.intoto.json'));
    const commit = execFileSync('git', ['rev-parse', 'HEAD'], { cwd: projectRoot(), encoding: 'utf8' }).trim();
    expect(predicate.buildDefinition.resolvedDependencies).toEqual([{ uri: 'git+firebreak', digest: { gitCommit: commit } }]);
    const named = subject.map(({ name, digest }: { name: string; digest: { sha256: string } }) => `${digest.sha256}  ${name}\n`);
    expect(named.join('')).toBe(text('checksums.txt'));
  });

  test('is signed as cosign does it: sigstore’s own verifier accepts it, and nothing that was changed', () => {
    const verifier = verifierOf(privateKey);
    const entityOf = (name: string, content?: string) =>
      toSignedEntity(
        bundleFromJSON(JSON.parse(text(`${name}.sigstore.json`))),
        content === undefined ? undefined : Buffer.from(content),
      );
    verifier.verify(entityOf('checksums.txt', text('checksums.txt')));
    verifier.verify(entityOf('provenance.intoto.json'));
    expect(() => verifier.verify(entityOf('checksums.txt', `${text('checksums.txt')} `))).toThrow();
    const other = verifierOf(generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey);
    for (const entity of [entityOf('checksums.txt', text('checksums.txt')), entityOf('provenance.intoto.json')])
      expect(() => other.verify(entity)).toThrow();
    const envelope = JSON.parse(text('provenance.intoto.json.sigstore.json')).dsseEnvelope;
    expect(JSON.parse(Buffer.from(envelope.payload, 'base64').toString())).toEqual(JSON.parse(text('provenance.intoto.json')));
  });

  test('has a chart that Helm renders, and manifests for a cluster', async () => {
    const chart = join(first, `firebreak-chart-${version}.tgz`);
    const { stdout } = await runCommand({ command: helm ?? '', args: ['show', 'chart', chart] });
    expect(parse(stdout)).toMatchObject({ name: 'firebreak', version, appVersion: version });
    const documents = parseAllDocuments(text('install.yaml')).flatMap((one) => one.toJS() ?? []);
    expect(documents.map(({ kind }: { kind: string }) => kind)).toEqual(
      expect.arrayContaining(['StatefulSet', 'ConfigMap', 'Service', 'ClusterRole']),
    );
  });

  (krew ? test : test.skip)('has a command line that krew installs by its manifest, and that runs without npm', async () => {
    const { spec } = parse(text('krew.yaml'));
    const archive = `firebreak-cli-${version}.tar.gz`;
    expect(spec.platforms[0].uri).toBe(`https://example.com/v1/${archive}`);
    const root = join(folder, 'krew');
    const env = { PATH: `${dirname(process.execPath)}:/usr/bin:/bin`, HOME: folder, KREW_ROOT: root };
    const install = (file: string) =>
      runCommand({
        ...{ command: krew ?? '', env },
        args: ['install', '--manifest', join(first, 'krew.yaml'), '--archive', file],
      });
    const other = join(folder, 'other.tar.gz');
    writeFileSync(other, 'not what the release has');
    expect(await install(other)).toMatchObject({ code: 1, stderr: expect.stringContaining('checksum') });
    expect(await install(join(first, archive))).toMatchObject({ code: 0 });
    const kubectl = (...args: readonly string[]) =>
      runCommand({ command: join(root, 'bin', 'kubectl-firebreak'), args, cwd: folder, env });
    expect(await kubectl('--version')).toMatchObject({ code: 0, stdout: `${version}\n` });
    expect(await kubectl('playbooks', 'list')).toMatchObject({ code: 0, stdout: expect.stringContaining('firebreak/') });
    expect((await kubectl('incidents', 'list')).stderr).toMatch(/^FB_ERR_CONFIG_INVALID/);
    // The commands that work in the cluster are not in it, and say so.
    expect((await kubectl('run')).stderr).toMatch(/^FB_ERR_PLATFORM_PART_MISSING: .*(@temporalio\/core-bridge|lmdb)/);
  });

  test('has the package that npm would publish', () => {
    const list = execFileSync('tar', ['-tzf', join(first, `firebreak-${version}.tgz`)], { encoding: 'utf8' });
    expect(list).toContain('package/dist/service/cli.js');
    expect(list).not.toMatch(/(?<!\.d)\.ts$|^package\/test\//m);
  });
});

describe('the bill of materials', () => {
  const lock: unknown = JSON.parse(readFileSync(join(projectRoot(), 'package-lock.json'), 'utf8'));
  const debian = ['libc6_2.36-9+deb12u9_amd64.deb', 'base-files_1%3a12.4_amd64.deb', 'libc6_2.36-9+deb12u9_amd64.deb'];
  let bill: ReturnType<typeof billOfMaterials>;
  beforeAll(async () => {
    await ensureBuilt({ node: process.execPath });
    const bundled = bundledPackages(projectRoot());
    const imageDigest = `sha256:${'a'.repeat(64)}`;
    bill = billOfMaterials({ version, at: '2026-03-01T10:00:00.000Z', lock, bundled, debian, imageDigest });
  });

  test('has each package that is in the program or next to it, with its hash and licence, and those of Debian, but none for development', () => {
    const byName = new Map(bill.components.map((one) => [one.name, one]));
    expect(byName.get('zod')).toMatchObject({
      licenses: [{ license: { id: 'MIT' } }],
      hashes: [{ alg: 'SHA-512', content: expect.stringMatching(/^[0-9a-f]{128}$/) }],
    });
    expect(byName.get('@temporalio/worker')?.purl).toMatch(/^pkg:npm\/%40temporalio\/worker@1\./);
    expect(byName.get('base-files')).toMatchObject({ version: '1:12.4', purl: 'pkg:deb/debian/base-files@1%3A12.4?arch=amd64' });
    expect(bill.components.filter(({ name }) => name === 'libc6')).toHaveLength(1);
    for (const name of ['@temporalio/core-bridge', '@slack/bolt', 'pg']) expect(byName.has(name)).toBe(true);
    for (const name of ['jest', 'typescript', 'esbuild', '@biomejs/biome']) expect(byName.has(name)).toBe(false);
  });

  test('names which package needs which, and only packages that it has', () => {
    const refs = new Set([bill.metadata.component['bom-ref'], ...bill.components.map((one) => one['bom-ref'])]);
    for (const { ref, dependsOn } of bill.dependencies) expect([ref, ...dependsOn].filter((one) => !refs.has(one))).toEqual([]);
    const own = bill.dependencies.find(({ ref }) => ref === `pkg:npm/firebreak@${version}`);
    expect(own?.dependsOn).toEqual(
      expect.arrayContaining([expect.stringMatching(/^pkg:npm\/zod@/), expect.stringMatching(/^pkg:deb\/debian\/libc6@/)]),
    );
    expect(bill.serialNumber).toMatch(/^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  });
});

describe('before a release', () => {
  const tree = join(folder, 'tree');
  beforeAll(() => {
    for (const file of ['package.json', 'package-lock.json', 'CHANGELOG.md', 'deploy/helm/firebreak/Chart.yaml'])
      cpSync(join(projectRoot(), file), join(tree, file));
    const git = (...args: readonly string[]) =>
      execFileSync('git', ['-c', 'user.name=t', '-c', 'user.email=t@example.com', ...args], { cwd: tree });
    git('init', '--quiet');
    git('add', '--all');
    git('commit', '--quiet', '--message', 'all');
  });

  test('the version is written wherever it appears, once, and what stands in the way is reported', () => {
    // This tree can be released as it is.
    expect(releaseProblems(tree, { allowDirty: false })).toEqual([]);
    const changes = join(tree, 'CHANGELOG.md');
    writeFileSync(changes, readFileSync(changes, 'utf8').replace(new RegExp(`^## ${version} .*\n`, 'm'), ''));
    expect(releaseProblems(tree, { allowDirty: true })).toEqual([
      expect.stringContaining(`CHANGELOG.md has no section ${version}`),
    ]);
    const files = ['package.json', 'package-lock.json', 'deploy/helm/firebreak/Chart.yaml', 'CHANGELOG.md'];
    expect(prepareRelease(tree, '7.8.9-rc.1')).toEqual(files);
    expect(prepareRelease(tree, '7.8.9-rc.1')).toEqual([]);
    for (const file of ['package.json', 'package-lock.json'])
      expect(JSON.parse(readFileSync(join(tree, file), 'utf8')).version).toBe('7.8.9-rc.1');
    expect(JSON.parse(readFileSync(join(tree, 'package-lock.json'), 'utf8')).packages[''].version).toBe('7.8.9-rc.1');
    expect(readFileSync(join(tree, 'CHANGELOG.md'), 'utf8')).toMatch(/^## Unreleased\n\n## 7\.8\.9-rc\.1 – \d{4}-\d{2}-\d{2}$/m);
    expect(releaseProblems(tree, { allowDirty: true })).toEqual([]);
    expect(releaseProblems(tree, { allowDirty: false })).toEqual([expect.stringContaining('uncommitted changes')]);
    expect(() => prepareRelease(tree, 'seven')).toThrow(/is not a version/);
  });

  test('the plan names what would be made, with an image and without', () => {
    const image = { architectures: ['amd64'], repository: 'example.com/firebreak' } as const;
    expect(releasePlan({ image, isSigned: true }).join('\n')).toMatch(
      /example\.com\/firebreak:.* for amd64(.|\n)*example\.com\/firebreak-tools:.* for amd64(.|\n)*sigstore/,
    );
    expect(releasePlan({ image: undefined, isSigned: false }).join('\n')).not.toMatch(/oci|sigstore/);
  });

  test('an image is for the named processors, and an unknown one is never ignored', () => {
    expect(architecturesIn('amd64, arm64')).toEqual(['amd64', 'arm64']);
    expect(architecturesIn('arm64,arm64')).toEqual(['arm64']);
    for (const text of ['', 'amd64,riscv64', 'x64', 'amd64,']) expect([text, architecturesIn(text)]).toEqual([text, undefined]);
  });

  const workflows = join(projectRoot(), '.github', 'workflows');

  test.each(readdirSync(workflows))(
    'the workflow %s runs nobody else’s actions, has no right by default, and its lines are the shell’s',
    (file) => {
      const workflow = parse(readFileSync(join(workflows, file), 'utf8'));
      expect(workflow.permissions).toEqual({});
      const { scripts } = JSON.parse(readFileSync(join(projectRoot(), 'package.json'), 'utf8'));
      for (const { steps } of Object.values<{ readonly steps: readonly Readonly<Record<string, string>>[] }>(workflow.jobs))
        for (const { run = '', ...step } of steps) {
          expect(Object.keys(step)).toEqual(['name']);
          // The shell would receive what the forge fills in before it is quoted.
          expect(run).not.toContain('${{');
          execFileSync('bash', ['-n', '-c', run]);
          for (const [, script = ''] of run.matchAll(/npm run ([\w:]+)/g)) expect(Object.keys(scripts)).toContain(script);
        }
    },
  );

  test('the forge’s workflow signs all downloads and both images without a key, as itself', () => {
    const { permissions, steps } = parse(readFileSync(join(workflows, 'release.yml'), 'utf8')).jobs.release;
    expect(permissions['id-token']).toBe('write');
    const lines = steps.map(({ run }: { readonly run: string }) => run).join('\n');
    expect(lines.match(/^ *cosign (sign|attest|sign-blob|attest-blob) .*$/gm)).toHaveLength(4);
    expect(lines).not.toMatch(/cosign .*--key/);
    expect(lines).toContain('"docker://$IMAGE$tools:$version"');
    expect(existsSync(join(projectRoot(), 'tools/release/release.mjs'))).toBe(true);
    expect(JSON.stringify(steps)).toContain('npm run release -- ');
  });
});
