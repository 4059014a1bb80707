import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync } from 'node:fs';
import { arch, platform } from 'node:os';
import { join } from 'node:path';
import { FirebreakError } from '../../core/errors.ts';
import { cachedPart, type OnProgress, withProgress } from '../../service/parts/cache.ts';
import { findOnPath } from '../../service/parts/command.ts';
import type { RunForPart } from '../../service/parts/part-draft.ts';
import { projectRoot } from '../../service/process/project-root.ts';
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

async function registryBinary(onProgress: OnProgress): Promise<string> {
  const sources = join(projectRoot(), 'tools', 'platform', 'registry');
  const hash = createHash('sha256').update(`${platform()} ${arch()}`);
  for (const file of ['go.mod', 'go.sum', 'main.go']) hash.update(readFileSync(join(sources, file)));
  const build = async (draft: string, run: RunForPart): Promise<void> => {
    const go = findOnPath('go');
    if (!go) throw new FirebreakError('FB_ERR_PLATFORM_PART_MISSING', 'building a container registry needs go on PATH');
    const args = ['build', '-trimpath', '-o', join(draft, 'registry'), '.'];
    const work = () => run({ command: go, args, cwd: sources, env: { ...process.env, CGO_ENABLED: '0' } });
    const result = await withProgress({ what: 'building a container registry with Go, once', onProgress, work });
    if (result.code === 0) return;
    const reason = result.stderr.trim().split('\n').at(-1) ?? '';
    throw new FirebreakError('FB_ERR_PLATFORM_PART_MISSING', `a container registry could not be built with ${go}: ${reason}`);
  };
  const version = hash.digest('hex').slice(0, 16);
  const source = 'built with Go: a container registry';
  return join(await cachedPart({ name: 'registry', version, source, install: build, onProgress }), 'registry');
}
