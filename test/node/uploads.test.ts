import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request as httpsRequest } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { zstdDecompressSync } from 'node:zlib';
import { afterAll, describe, expect, test } from '@jest/globals';
import { checkpointContainerImplementation } from '../../activities/actions/evidence/checkpoint-container.ts';
import { snapshotFilesystemImplementation } from '../../activities/actions/evidence/snapshot-filesystem.ts';
import { EvidenceStreams } from '../../activities/evidence/evidence-streams.ts';
import { inContainer } from '../../activities/evidence/in-container.ts';
import { Uploads } from '../../activities/evidence/uploads.ts';
import type { ResolvedPod } from '../../core/actions/pod.schema.ts';
import { names } from '../../core/cluster/labels.ts';
import { accessFromKubeconfig } from '../../integrations/kubernetes/kubeconfig.ts';
import { openUploadDoor, type UploadRefusal } from '../../integrations/uploads/door.ts';
import { runCommand } from '../../service/parts/command.ts';
import { openCluster, resolved, stepContext, until } from '../platform/kubernetes/parts/cluster.ts';
import { folderEvidence } from '../platform/kubernetes/parts/evidence.ts';
import { nodeLab } from './lab/lab.ts';

const lab = await nodeLab();
const cluster = await openCluster(lab.kubeconfig);
const { api } = cluster;
const { toolsImage, hostAddress } = lab;
const folder = mkdtempSync(join(tmpdir(), 'firebreak-uploads-'));
const evidence = await folderEvidence(folder);
const refusals: UploadRefusal[] = [];
const door = await openUploadDoor({
  host: hostAddress,
  port: 0,
  address: `https://${hostAddress}:0`,
  onRefused: (refusal) => refusals.push(refusal),
});
afterAll(async () => {
  await door.close();
  await cluster.close();
  rmSync(folder, { recursive: true });
});

const uploads = new Uploads(door);
const files = snapshotFilesystemImplementation({ api, toolsImage, uploads, ...evidence });
const context = () => stepContext({ signal: AbortSignal.timeout(120_000) });

const howSent = async (manifestSha256: string) =>
  JSON.parse(String(await evidence.bytesOf({ manifestSha256 }, 'filesystem.json'))).sent;

async function listed(manifestSha256: string): Promise<readonly string[]> {
  const file = join(folder, `${randomBytes(8).toString('hex')}.tar`);
  writeFileSync(file, zstdDecompressSync(await evidence.bytesOf({ manifestSha256 }, 'filesystem.tar.zst')));
  return (await runCommand({ command: 'tar', args: ['-tf', file] })).stdout.trimEnd().split('\n').sort();
}

/** A pod with 6 MB of data that does not compress. */
async function suspect(name: string, labels: Readonly<Record<string, string>> = {}): Promise<ResolvedPod> {
  const script = 'head -c 6000000 /dev/urandom > /tmp/implant; touch /tmp/done; exec sleep 1000';
  await lab.runPod({ name, labels, command: ['sh', '-c', script] });
  await until(async () => ((await lab.exec(name, 'ls', '/tmp/done')).code === 0 ? true : undefined));
  return resolved(await lab.pod(name));
}

const input = (pod: ResolvedPod) => ({ pod, paths: ['/tmp'] });

/** Sends one request as an intruder would. Returns the status of the refusal. */
function tried(url: string, token: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const headers = { authorization: `Bearer ${token}`, expect: '100-continue', 'transfer-encoding': 'chunked' };
    const sent = httpsRequest(url, { method: 'PUT', headers, rejectUnauthorized: false, agent: false });
    sent.once('response', (response) => resolve(response.resume().statusCode ?? 0));
    sent.once('continue', () => resolve(100));
    sent.on('error', reject);
    sent.flushHeaders();
  });
}

describe('uploads of evidence on a real node', () => {
  test('send the files straight from the pod, verified as they are through the API server', async () => {
    const pod = await suspect('suspect');
    const step = context();
    expect((await files.plan(input(pod), step)).notes.join(' ')).toContain(`directly from the pod to ${door.origin}`);
    const output = await files.apply(input(pod), step);
    expect(await files.verify(output, step)).toMatchObject({ state: 'verified' });
    const { manifestSha256 } = output.evidence;
    expect(await listed(manifestSha256)).toEqual(['tmp/', 'tmp/done', 'tmp/implant']);
    expect(await howSent(manifestSha256)).toEqual({ way: 'upload' });
    const { tools } = JSON.parse(String(await evidence.bytesOf({ manifestSha256 }, 'filesystem.json')));
    const [url] = tools.commands[0].filter((word: string) => word.startsWith('https:'));
    expect(url).toMatch(new RegExp(`^${door.origin}/uploads/[0-9a-f]{32}$`));
    // The address can be used only once.
    expect(await tried(url, '0'.repeat(64))).toBe(404);
  });

  test('refuse anyone who saw the address in the pod but still accept the right sender; when cut off, the step fails and keeps nothing', async () => {
    const pod = await suspect('seen');
    // Slow enough to leave time for what follows.
    const streams = new EvidenceStreams({ atATime: 1, bytesPerSecond: 1_000_000, processes: 1 });
    const slow = snapshotFilesystemImplementation({ api, toolsImage, uploads, streams, ...evidence });
    const step = context();
    const objects = () =>
      runCommand({ command: 'find', args: [join(folder, 'evidence'), '-type', 'f', '-not', '-path', '*/keys/*'] });
    const before = await objects();
    const taking = slow.apply(input(pod), step);
    taking.catch(() => undefined);
    const [, pid = '', url = ''] = await until(async () => {
      const { stdout } = await lab.exec('seen', 'ps', '-o', 'pid,args');
      return /^ *(\d+) .* -upload (\S+)/m.exec(stdout) ?? undefined;
    });
    for (const token of ['', '0'.repeat(64)]) expect(await tried(url, token)).toBe(403);
    expect((await lab.exec('seen', 'kill', '-9', pid)).code).toBe(0);
    await expect(taking).rejects.toMatchObject({ code: 'FB_ERR_UNAVAILABLE' });
    expect((await objects()).stdout).toBe(before.stdout);
    expect(await tried(url, '0'.repeat(64))).toBe(404);

    const output = await files.apply(input(pod), step);
    expect(await howSent(output.evidence.manifestSha256)).toEqual({
      way: 'exec',
      why: 'an earlier upload of this step failed',
    });
    expect(await files.verify(output, step)).toMatchObject({ state: 'verified' });
    expect(refusals.map(({ status }) => status)).toEqual(expect.arrayContaining([403, 404]));
  });

  test('are not used for a quarantined pod, and fall back to the API server where the network blocks them', async () => {
    const quarantined = await suspect('quarantined', { [names.quarantineLabel]: 'active' });
    const first = await files.apply(input(quarantined), context());
    expect(await howSent(first.evidence.manifestSha256)).toEqual({ way: 'exec' });

    const pod = await suspect('closed-in', { closed: 'in' });
    const policy = {
      apiVersion: 'networking.k8s.io/v1',
      kind: 'NetworkPolicy',
      metadata: { name: 'closed-in' },
      spec: { podSelector: { matchLabels: { closed: 'in' } }, policyTypes: ['Egress'] },
    };
    const file = join(folder, 'policy.json');
    writeFileSync(file, JSON.stringify(policy));
    expect((await lab.kubectl('apply', '--filename', file)).code).toBe(0);
    const { port } = new URL(door.origin);
    await until(async () =>
      (await lab.exec('closed-in', 'nc', '-w', '1', hostAddress, port, '-e', 'true')).code === 0 ? undefined : true,
    );
    const output = await files.apply(input(pod), context());
    expect(await howSent(output.evidence.manifestSha256)).toEqual({
      way: 'exec',
      why: expect.stringContaining('the tools cannot reach the address for uploads: '),
    });
    expect(await listed(output.evidence.manifestSha256)).toContain('tmp/implant');
  });

  test('go only to the certificate whose hash was given', async () => {
    const pod = await suspect('redirected');
    const address = door.open({ mostBytes: 1_000, lastsMs: 60_000 });
    const { result } = await inContainer({
      parts: { api, toolsImage },
      pod,
      wanted: {},
      context: context(),
      work: async ({ tool }) => {
        const { stdout } = tool('tar', { arguments: ['-upload', address.url, '-pin', '0'.repeat(64), '--', '/tmp/done'] });
        const parts: Uint8Array[] = [];
        for await (const part of stdout) parts.push(part);
        return Buffer.concat(parts);
      },
    });
    const line = result.subarray(0, result.indexOf('\n'));
    expect(JSON.parse(String(line))).toEqual({ way: 'here', why: 'the certificate is not the expected one' });
    expect(zstdDecompressSync(result.subarray(line.length + 1)).includes('tmp/done')).toBe(true);
    address.end();
  });

  test('send the memory of a container from the pod that fetches it', async () => {
    const access = await accessFromKubeconfig({ file: lab.kubeconfig });
    const parts = { api, access, toolsImage, ownNamespace: lab.namespace, uploads, ...evidence };
    const memory = checkpointContainerImplementation(parts);
    const pod = resolved(await lab.runPod({ name: 'remembered' }));
    const step = context();
    const output = await memory.apply({ pod }, step);
    expect(await memory.verify(output, step)).toMatchObject({ state: 'verified' });
    const facts = JSON.parse(String(await evidence.bytesOf(output.evidence, 'checkpoint/container.json')));
    expect(facts.sent).toEqual({ way: 'upload' });
    const archive = zstdDecompressSync(await evidence.bytesOf(output.evidence, 'checkpoint/main.tar.zst'));
    expect(archive.includes('checkpoint/pages-')).toBe(true);
  });
});
