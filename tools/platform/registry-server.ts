import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { FirebreakError } from '../../core/errors.ts';
import type { OnProgress } from '../../service/parts/cache.ts';
import { goProgram } from './go-program.ts';
import { freePorts } from './ports.ts';
import { ServerGroup, waitUntilReady } from './server-group.ts';

export interface RegistryServer {
  /** `127.0.0.1:23456`; plain HTTP. */
  readonly host: string;
  /** Kills it; its content is lost. */
  stop(): Promise<void>;
}

/**
 * Starts a real container registry on this machine, in memory: go-containerregistry's, built with Go from `tools/platform/registry` on first use. Throws
 * FB_ERR_PLATFORM_PART_MISSING, FB_ERR_PLATFORM_START.
 */
export async function startRegistryServer(options: {
  readonly stateDir: string;
  /** False for a registry without the API for referrers of a digest. */
  readonly referrers?: boolean;
  readonly onProgress?: OnProgress;
}): Promise<RegistryServer> {
  const { stateDir, referrers = true, onProgress = () => {} } = options;
  const command = await registryBinary(onProgress);
  mkdirSync(stateDir, { recursive: true });
  const { registry: port } = await freePorts({ names: ['registry'] });
  const host = `127.0.0.1:${port}`;
  const group = new ServerGroup();
  const args = [`-address=${host}`, `-referrers=${referrers}`];
  const server = group.start({ name: 'registry', command, args, logFile: join(stateDir, 'registry.log') });
  await waitUntilReady({ server, timeoutMs: 30_000, ready: () => isServing(host) });
  return { host, stop: () => group.stop() };
}

async function isServing(host: string): Promise<boolean> {
  const answer = await fetch(`http://${host}/v2/`, { signal: AbortSignal.timeout(2000) }).catch(() => undefined);
  return answer?.status === 200;
}

/** Its program, built once with Go. Throws FB_ERR_PLATFORM_PART_MISSING. */
export async function registryBinary(onProgress: OnProgress): Promise<string> {
  const module = join('tools', 'platform', 'registry');
  const title = 'a container registry';
  const folder = await goProgram({ name: 'registry', module, target: '.', linked: {}, pinned: 1, title }, onProgress);
  if (!folder) throw new FirebreakError('FB_ERR_PLATFORM_PART_MISSING', 'building a container registry needs go on PATH');
  return join(folder, 'registry');
}
