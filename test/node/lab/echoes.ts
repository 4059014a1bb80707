import { setTimeout as sleep } from 'node:timers/promises';
import type { PodJson } from '../../../integrations/kubernetes/watch/projection.ts';
import type { NodeLab } from './lab.ts';

/** Echoes what it receives, on port 80. */
export const echoServer: readonly string[] = ['nc', '-ll', '-p', '80', '-e', 'cat'];

/** Keeps one connection to the server open, and prints what comes back through it, five lines per second. */
export function talkTo(server: PodJson): readonly string[] {
  return ['sh', '-c', `while :; do echo tick; sleep 0.2; done | nc ${server.status?.podIP} 80`];
}

export function echoesOf(lab: Pick<NodeLab, 'kubectl'>) {
  /** Number of lines that have come back through the one connection that the pod keeps open. */
  const echoes = async (pod: string): Promise<number> => (await lab.kubectl('logs', pod)).stdout.split('\n').length - 1;
  /** Whether more lines arrive. */
  const grows = async (pod: string): Promise<boolean> => {
    const before = await echoes(pod);
    await sleep(2_000);
    return (await echoes(pod)) > before;
  };
  return { echoes, grows };
}
