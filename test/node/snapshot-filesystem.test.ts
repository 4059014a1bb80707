import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { zstdDecompressSync } from 'node:zlib';
import { afterAll, describe, expect, test } from '@jest/globals';
import { snapshotFilesystemImplementation } from '../../activities/actions/evidence/snapshot-filesystem.ts';
import { EvidenceStreams } from '../../activities/evidence/evidence-streams.ts';
import type {
  SnapshotFilesystemInput,
  SnapshotFilesystemOutput,
} from '../../core/actions/evidence/snapshot-filesystem.schema.ts';
import { asManifest } from '../../core/evidence/evidence-manifest.ts';
import { runCommand } from '../../service/parts/command.ts';
import { openCluster, resolved, stepContext, until } from '../platform/kubernetes/parts/cluster.ts';
import { folderEvidence } from '../platform/kubernetes/parts/evidence.ts';
import { nodeLab } from './lab/lab.ts';

const lab = await nodeLab();
const cluster = await openCluster(lab.kubeconfig);
const folder = mkdtempSync(join(tmpdir(), 'firebreak-filesystem-'));
const evidence = await folderEvidence(folder);
afterAll(async () => {
  await cluster.close();
  rmSync(folder, { recursive: true });
});

const action = snapshotFilesystemImplementation({ api: cluster.api, toolsImage: lab.toolsImage, ...evidence });
const context = () => stepContext({ signal: AbortSignal.timeout(120_000) });

/** Unpacks the stored evidence into a new folder, as a person would after `evidence get`. */
async function unpacked({ evidence: kept }: SnapshotFilesystemOutput): Promise<string> {
  const out = mkdtempSync(join(folder, 'out-'));
  writeFileSync(`${out}.tar`, zstdDecompressSync(await evidence.bytesOf(kept, 'filesystem.tar.zst')));
  // Devices cannot be created everywhere, and the owners are those of the container.
  await runCommand({ command: 'tar', args: ['--no-same-owner', '-C', out, '-xf', `${out}.tar`] });
  return out;
}

const listed = async (out: string): Promise<readonly string[]> =>
  (await runCommand({ command: 'tar', args: ['-tf', `${out}.tar`] })).stdout.trimEnd().split('\n').sort();
const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

/** A pod in which an intruder has left files, some of them to mislead investigators. */
async function suspect(name: string) {
  const marks = [
    "printf 'planted by a test' > /tmp/implant",
    'touch -d 2001-01-01 /tmp/implant',
    'ln -s /etc/shadow /tmp/link',
    'mkfifo /tmp/pipe',
    'echo gone > /tmp/gone; rm /tmp/gone',
    "printf 'on the volume' > /data/kept",
    'truncate -s 20G /tmp/huge',
    'touch /tmp/done; exec sleep 1000',
  ];
  await lab.runPod({
    name,
    command: ['sh', '-c', marks.join('; ')],
    container: { volumeMounts: [{ name: 'data', mountPath: '/data' }] },
    spec: { volumes: [{ name: 'data', emptyDir: {} }] },
  });
  await until(async () => ((await lab.exec(name, 'ls', '/tmp/done')).code === 0 ? true : undefined));
  return resolved(await lab.pod(name));
}

const take = async (input: SnapshotFilesystemInput) => {
  const step = context();
  const output = await action.apply(input, step);
  return { output, verification: await action.verify(output, step), out: await unpacked(output) };
};

describe('snapshotFilesystem on a real node', () => {
  test('contains the planted file with its hash, despite its forged date, and nothing from the image', async () => {
    const pod = await suspect('suspect');
    expect((await action.plan({ pod }, context())).changes).toEqual([
      { target: `pod/${lab.namespace}/suspect`, what: expect.stringContaining('ephemeral container') },
    ]);
    const { output, verification, out } = await take({ pod });
    const { stdout } = await runCommand({ command: 'sha256sum', args: [join(out, 'tmp/implant')] });
    expect(stdout.slice(0, 64)).toBe(sha256('planted by a test'));
    const files = await listed(out);
    expect(files).toEqual(expect.arrayContaining(['tmp/', 'tmp/done', 'tmp/implant', 'tmp/link', 'tmp/pipe']));
    expect(files.filter((file) => file.startsWith('bin/') || file.startsWith('data/k') || file === 'tmp/gone')).toEqual([]);
    // A sparse file of 20 GB is left out, and the verification reports it.
    expect(verification).toMatchObject({
      state: 'partial',
      missing: [expect.stringMatching(/more bytes than allowed.*such as tmp\/huge/)],
    });
    expect(output.evidence.artefacts.map(({ name }) => name)).toEqual(['filesystem.tar.zst', 'filesystem.json']);
    expect(output.container.id).toHaveLength(64);
  });

  test('includes all files, a volume and single paths on request', async () => {
    const pod = await suspect('other');
    const { out, verification } = await take({ pod, files: 'all', volumes: ['/data'], paths: ['/bin/busybox', '/data'] });
    expect(await listed(out)).toEqual(['bin/busybox', 'data/', 'data/kept']);
    expect(verification).toMatchObject({ state: 'verified' });
  });

  test('waits for its turn while another is in progress, and says so', async () => {
    const pod = await suspect('queue');
    const streams = new EvidenceStreams({ atATime: 1, bytesPerSecond: 100_000_000, processes: 1 });
    const inTurn = snapshotFilesystemImplementation({ api: cluster.api, toolsImage: lab.toolsImage, ...evidence, streams });
    const said: string[] = [];
    const both = await Promise.all(
      ['/tmp/implant', '/tmp/done'].map((path) =>
        inTurn.apply({ pod, paths: [path] }, { ...context(), progress: (text) => said.push(text) }),
      ),
    );
    expect(said).toEqual([expect.stringMatching(/^waits for its turn: 1 /), 'has its turn']);
    expect(both.map(({ entries }) => entries)).toEqual([1, 1]);
  });

  test('is sealed in the store, and cannot be opened without the key of the incident', async () => {
    const pod = await suspect('sealed');
    const step = context();
    const output = await action.apply({ pod, paths: ['/tmp/implant'] }, step);
    const manifest = asManifest(JSON.parse(Buffer.from(await evidence.store.get(output.evidence.manifestSha256)).toString()));
    const [sealed] = manifest?.artefacts ?? [];
    expect(sealed?.sealed?.sha256).not.toBe(sealed?.sha256);
    expect(await evidence.store.has(sealed?.sha256 ?? '')).toBe(false);
    expect(await action.verify(output, step)).toMatchObject({ state: 'verified' });
    rmSync(join(folder, 'evidence', 'keys', sealed?.sealed?.keyId ?? ''));
    await expect(action.verify(output, step)).rejects.toMatchObject({
      code: 'FB_ERR_EVIDENCE_DAMAGED',
      detail: expect.stringContaining('was deleted with it'),
    });
  });
});
