import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Platform, startPlatform } from '../../tools/platform/platform.ts';
import type { Servers } from '../platform/e2e/parts/service.ts';

/** Starts separate servers, for tests that kill them or read their files. */
export async function ownServers(): Promise<{
  readonly platform: Platform;
  readonly servers: Servers;
  readonly folder: string;
  stop(): Promise<void>;
}> {
  const folder = mkdtempSync(join(tmpdir(), 'firebreak-e2e-servers-'));
  const platform = await startPlatform({ stateDir: folder, kubernetes: { auditLevel: 'RequestResponse' } });
  const { temporal, kubernetes } = platform;
  return {
    platform,
    folder,
    servers: {
      temporalAddress: temporal.address,
      temporalNamespace: temporal.namespace,
      kubeconfig: kubernetes.kubeconfig,
      auditLog: kubernetes.auditLog,
    },
    stop: async () => {
      await platform.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Never 0, which would be the process group of the tests themselves. */
export function ownPid(pid: number | undefined, of: string): number {
  if (!pid) throw new Error(`this test stops its own ${of}, and has none`);
  return pid;
}
