import type { NodeLab } from './lab.ts';

/** Runs commands on the node itself, with its programs and in its network: from a pod with all privileges, which is created now. */
export async function nodeShell(lab: NodeLab, name: string) {
  await lab.runPod({
    name,
    spec: { hostNetwork: true, volumes: [{ name: 'root', hostPath: { path: '/' } }] },
    container: { securityContext: { privileged: true }, volumeMounts: [{ name: 'root', mountPath: '/node' }] },
  });
  return (command: string) => lab.exec(name, 'chroot', '/node', 'sh', '-c', `PATH=/usr/sbin:/sbin:/usr/bin:/bin; ${command}`);
}
