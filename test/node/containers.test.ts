import { describe, expect, test } from '@jest/globals';
import { nodeLab } from './lab/lab.ts';

const lab = await nodeLab();

describe('a pod on the real node', () => {
  test('runs a container of its own, whose output is its log', async () => {
    const pod = await lab.runPod({ name: 'speaker', command: ['sh', '-c', 'echo "I am $HOSTNAME"; exec sleep 1000'] });
    expect(pod.status?.containerStatuses?.[0]?.containerID).toMatch(/^containerd:\/\/[0-9a-f]{64}$/);
    expect(await lab.kubectl('logs', 'speaker')).toMatchObject({ code: 0, stdout: 'I am speaker\n' });
  });

  test('runs a command inside the container, not on this machine', async () => {
    await lab.runPod({ name: 'listener' });
    expect(await lab.exec('listener', 'hostname')).toMatchObject({ code: 0, stdout: 'listener\n' });
    expect(await lab.exec('listener', 'ls', '/')).toMatchObject({ stdout: expect.not.stringContaining('usr') });
    expect(await lab.exec('listener', 'sh', '-c', 'exit 7')).toMatchObject({ code: 7 });
  });

  test('runs an image that is named by its digest', async () => {
    const pod = await lab.runPod({ name: 'exact', image: lab.imageByDigest });
    expect(pod.status?.containerStatuses?.[0]).toMatchObject({ ready: true, imageID: lab.imageByDigest });
  });
});
