import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, describe, expect, test } from '@jest/globals';
import { killProcessImplementation } from '../../activities/actions/containment/kill-process.ts';
import { captureProcessesImplementation } from '../../activities/actions/evidence/capture-processes.ts';
import { captureTrafficImplementation } from '../../activities/actions/evidence/capture-traffic.ts';
import { OwnSteps } from '../../activities/chokepoint/own-steps.ts';
import { inContainer, mustHaveEnded } from '../../activities/evidence/in-container.ts';
import { createBox } from '../../integrations/crypto-box/box.ts';
import { createKubernetesApi } from '../../integrations/kubernetes/client.ts';
import { accessFromKubeconfig } from '../../integrations/kubernetes/kubeconfig.ts';
import { kubernetesAudit } from '../../integrations/sensors/kubernetes-audit/kubernetes-audit.ts';
import { openCluster, resolved, stepContext, until } from '../platform/kubernetes/parts/cluster.ts';
import { folderEvidence } from '../platform/kubernetes/parts/evidence.ts';
import { readAuditLog } from '../platform.ts';
import { processesIn } from './lab/container-table.ts';
import { nodeLab, type PodOrder } from './lab/lab.ts';

const lab = await nodeLab();
const { toolsImage } = lab;
const cluster = await openCluster(lab.kubeconfig);
const { api } = cluster;
const folder = mkdtempSync(join(tmpdir(), 'firebreak-in-container-'));
const evidence = await folderEvidence(folder);
afterAll(async () => {
  await cluster.close();
  rmSync(folder, { recursive: true });
});

const run = async (order: PodOrder) => {
  const found = await lab.runPod(order);
  const id = found.status?.containerStatuses?.[0]?.containerID?.replace('containerd://', '') ?? '';
  return { pod: resolved(found), container: { id: id.slice(0, 12) } };
};
const script = (name: string, text: string) => run({ name, command: ['sh', '-c', text] });
const capture = captureProcessesImplementation({ api, toolsImage, ...evidence });
const kill = killProcessImplementation({ api, toolsImage });
const context = () => stepContext({ signal: AbortSignal.timeout(120_000) });
const artefact = async (kept: { readonly manifestSha256: string }, name: string) =>
  JSON.parse((await evidence.bytesOf(kept, name)).toString());

describe('looking into a container', () => {
  test('lists its processes, what they have open, and a program whose file is gone', async () => {
    const input = await script(
      'suspect',
      `mkfifo /fifo; cp /bin/busybox /tmp/sh; /tmp/sh -c 'read x' --password hunter2 <> /fifo & sleep 1; rm /tmp/sh; exec nc -l -p 80`,
    );
    await until(async () => ((await lab.exec('suspect', 'ls', '/tmp')).stdout === '' ? true : undefined));
    const output = await capture.apply(input, context());
    expect(output.container).toMatchObject({ name: 'main', id: expect.stringMatching(new RegExp(`^${input.container.id}`)) });
    const hash = createHash('sha256').update(readFileSync('/bin/busybox')).digest('hex');
    expect(output.processes).toEqual([
      expect.objectContaining({ pid: 1, name: 'nc', exe: '/bin/busybox', exeSha256: hash }),
      expect.objectContaining({ exe: '/tmp/sh', exeDeleted: true, exeSha256: hash }),
    ]);
    const [list, facts] = output.evidence.artefacts;
    const { processes, sockets } = await artefact(output.evidence, list?.name ?? '');
    expect(processes[1]).toMatchObject({
      commandLine: '/tmp/sh -c read x --password [redacted:secret]',
      files: expect.arrayContaining([{ descriptor: 0, path: '/fifo' }]),
      parent: 1,
    });
    const listening = sockets.find(({ local }: { local: string }) => local.endsWith(':80'));
    expect(listening).toMatchObject({ state: 'listening' });
    expect(processes[0].files).toContainEqual({ descriptor: expect.any(Number), path: `socket:[${listening.inode}]` });
    expect(await artefact(output.evidence, facts?.name ?? '')).toMatchObject({
      container: { name: 'main', restartCount: 0, imageId: expect.any(String), startedAt: expect.any(String) },
      tools: { image: toolsImage, rights: 'everything' },
    });
  });

  test('gives the tools no token, and runs nothing from the target', async () => {
    const input = await script('robbed', 'sleep 1000');
    await capture.apply(input, context());
    const { spec } = await lab.pod('robbed');
    const [tools] = spec?.ephemeralContainers ?? [];
    expect(tools).toMatchObject({ image: toolsImage, command: expect.arrayContaining(['/firebreak-tools']) });
    expect(tools?.volumeMounts ?? []).toEqual([]);
    expect(spec?.containers[0]?.volumeMounts?.map((mount) => mount.name)).toEqual([expect.stringContaining('kube-api-access')]);
  });

  test('fails when the container restarts, before or during the look', async () => {
    const input = await script('restarting', 'until [ -e /tmp/end ]; do sleep 0.1; done');
    const stop = async () => {
      const { status } = await lab.pod('restarting');
      await lab.exec('restarting', 'touch', '/tmp/end');
      await until(async () => {
        const now = (await lab.pod('restarting')).status?.containerStatuses?.[0];
        return now?.state?.running && now.containerID !== status?.containerStatuses?.[0]?.containerID ? now : undefined;
      }, 30_000);
    };
    const meanwhile = inContainer({ parts: { api, toolsImage }, pod: input.pod, wanted: {}, context: context(), work: stop });
    await expect(meanwhile).rejects.toMatchObject({ code: 'FB_ERR_CONTAINER_REPLACED' });
    await expect(capture.apply(input, context())).rejects.toMatchObject({ code: 'FB_ERR_CONTAINER_REPLACED' });
    await expect(capture.plan(input, context())).rejects.toMatchObject({ code: 'FB_ERR_CONTAINER_REPLACED' });
  });

  test('sees what a restricted namespace lets it see, and says what it does not', async () => {
    await lab.kubectl('label', 'namespace', lab.namespace, 'pod-security.kubernetes.io/enforce=restricted');
    try {
      const strict = { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } };
      const input = await run({
        name: 'strict',
        spec: { securityContext: { runAsUser: 1000, runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } } },
        container: { securityContext: strict },
      });
      const output = await capture.apply(input, context());
      expect(output.processes).toEqual([expect.objectContaining({ pid: 1, exe: '/bin/busybox' })]);
      expect((await artefact(output.evidence, 'container.json')).tools.rights).toBe('as the container, without capabilities');
    } finally {
      await lab.kubectl('label', 'namespace', lab.namespace, 'pod-security.kubernetes.io/enforce-');
    }
  });
});

describe('commands of the tools', () => {
  const start = async <T>(name: string, text: string, work: Parameters<typeof inContainer<T>>[0]['work']) => {
    const { pod } = await script(name, `${text}; touch /tmp/begun; exec sleep 1000`);
    await until(async () => ((await lab.exec(name, 'ls', '/tmp/begun')).code === 0 ? true : undefined), 30_000);
    const more = ['NET_RAW'];
    return (await inContainer({ parts: { api, toolsImage }, pod, wanted: {}, context: context(), more, work })).result;
  };

  test('stream in constant memory: what is not read is not sent', async () => {
    const size = 200 * 1024 * 1024;
    // Random bytes: zeros would compress to almost nothing.
    await start('large', 'dd if=/dev/urandom of=/large bs=1M count=200', async ({ tool }) => {
      const command = tool('tar', { arguments: ['/large'], timeoutMs: 60_000 });
      const hash = createHash('sha256');
      let bytes = 0;
      for await (const part of command.stdout) {
        if (bytes === 0) {
          global.gc?.();
          const before = process.memoryUsage().arrayBuffers;
          await sleep(1_500);
          expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(16 * 1024 * 1024);
        }
        bytes += part.length;
        hash.update(part);
      }
      expect(bytes).toBeGreaterThan(size);
      mustHaveEnded(command);
      expect(JSON.parse(command.end().stderr)).toMatchObject({ bytes, sha256: hash.digest('hex'), entries: 1, cut: [] });
    });
  });

  test('report how they ended, and are aborted when they are silent or take too long', async () => {
    await start('patient', 'true', async ({ tool }) => {
      const ended = async (command: ReturnType<typeof tool>) => {
        for await (const _ of command.stdout);
        mustHaveEnded(command);
      };
      await expect(ended(tool('kill', { arguments: ['-pid', '1', '-start', '1'] }))).rejects.toMatchObject({
        code: 'FB_ERR_TARGET_REPLACED',
        detail: expect.stringContaining('pid 1 now belongs to another process'),
      });
      for (const limits of [{ idleMs: 500 }, { timeoutMs: 500 }])
        await expect(ended(tool('traffic', { arguments: ['-seconds', '30'], ...limits }))).rejects.toMatchObject({
          code: 'FB_ERR_UNAVAILABLE',
        });
    });
  });

  test('are recognised as our own steps in the audit of the API server', async () => {
    const { pod } = await script('audited', 'exec sleep 1000');
    const box = createBox({ keys: [{ id: 'test', key: new Uint8Array(32).fill(7) }] });
    const steps = new OwnSteps({ box });
    const { status } = await cluster.post<{ status: { userInfo: { username: string } } }>(
      '/apis/authentication.k8s.io/v1/selfsubjectreviews',
      { apiVersion: 'authentication.k8s.io/v1', kind: 'SelfSubjectReview' },
    );
    steps.knownAs(status.userInfo.username);
    const stamping = createKubernetesApi({
      access: await accessFromKubeconfig({ file: lab.kubeconfig }),
      stamp: (request) => steps.stamp(request),
    });
    const step = { key: 'k', action: 'captureProcesses', incident: 'i', targets: [] };
    await steps.during(step, () => processesIn({ api: stamping, toolsImage }, pod));
    stamping.close();
    const isExec = ({ objectRef }: { objectRef?: { name?: string; subresource?: string } }) =>
      objectRef?.name === 'audited' && objectRef.subresource === 'exec';
    const event = await until(async () => readAuditLog(lab.auditLog).find(isExec));
    const [decoded] = kubernetesAudit.decode(event, { cluster: 'lab' });
    if (decoded?.kind !== 'alert') throw new Error('no alert');
    // As another process sees it, which has no step in progress.
    expect(new OwnSteps({ box }).causing(decoded.alert)).toMatchObject({ key: 'k', incident: 'i' });
  });
});

describe('killProcess', () => {
  test('ends exactly this process, and nothing that has since taken its pid', async () => {
    const input = await script('mining', 'sleep 1000 & sleep 2000 & exec sleep 3000');
    const list = () => processesIn({ api, toolsImage }, input.pod);
    const before = await until(async () => {
      const now = await list();
      return now.length === 3 ? now : undefined;
    });
    const [main, miner, other] = before;
    if (!main || !miner || !other) throw new Error('three processes were started');
    const of = ({ pid, startTicks }: { pid: number; startTicks: number }) => ({ ...input, process: { pid, startTicks } });
    await expect(kill.apply(of({ ...miner, startTicks: miner.startTicks - 1 }), context())).rejects.toMatchObject({
      code: 'FB_ERR_TARGET_REPLACED',
    });
    await expect(kill.apply(of(main), context())).rejects.toMatchObject({
      code: 'FB_ERR_REFUSED',
      detail: expect.stringContaining('it ends with the pod'),
    });
    const step = context();
    const output = await kill.apply(of(miner), step);
    expect(output).toMatchObject({ state: 'killed', process: { pid: miner.pid, name: 'sleep' } });
    expect(await kill.verify(output, step)).toMatchObject({ state: 'verified' });
    expect(await kill.apply(of(miner), step)).toMatchObject({ state: 'gone' });
    expect((await list()).map(({ pid }) => pid)).toEqual([main.pid, other.pid]);
  });
});

describe('captureTraffic', () => {
  test('keeps the packets, up to its limit and not a byte more', async () => {
    const input = await script(
      'talking',
      'while :; do nc -l -p 5353; done & while :; do echo planted-word | nc -w 1 127.0.0.1 5353; sleep 0.1; done',
    );
    const traffic = captureTrafficImplementation({ api, toolsImage, ...evidence });
    const output = await traffic.apply({ ...input, seconds: 3 }, context());
    expect(output.packets).toBeGreaterThan(0);
    const bytes = await evidence.bytesOf(output.evidence, output.evidence.artefacts[0]?.name ?? '');
    // https://www.tcpdump.org/manpages/pcap-savefile.5.html
    expect(bytes.readUInt32LE(0)).toBe(0xa1b23c4d);
    expect(bytes.toString('latin1')).toContain('planted-word');
    const cut = await traffic.apply({ ...input, seconds: 10, maxBytes: 1_024 }, context());
    expect(cut.evidence.artefacts[0]?.bytes).toBeLessThanOrEqual(1_024);
    expect(cut.evidence.artefacts[0]?.partial).toContain('cut after');
  });
});
