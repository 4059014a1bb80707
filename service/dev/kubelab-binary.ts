import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { arch, platform } from 'node:os';
import { join } from 'node:path';
import { FirebreakError } from '../../core/errors.ts';
import { cachedPart, type OnProgress, withHeartbeat } from './cache.ts';
import { findOnPath, flags, runCommand } from './command.ts';
import { projectRoot } from './project-root.ts';

/** The Kubernetes that go.mod pins; it is linked in, since the API server reports it as its version. */
const version = { git: 'v1.36.3', major: '1', minor: '36' };

/**
 * kubelab, the control plane as one program, built with Go from `service/dev/kubelab` on first use and kept in the cache
 * under a hash of its sources. Undefined where there is no Go and none is cached. Throws FB_ERR_PLATFORM_PART_MISSING
 * when the build fails.
 */
export async function kubelabBinary(onProgress: OnProgress): Promise<string | undefined> {
  const sources = join(projectRoot(), 'service', 'dev', 'kubelab');
  const go = findOnPath('go');
  const build = async (draft: string): Promise<void> => {
    if (!go) throw new NoGo();
    let packages = 0;
    await withHeartbeat({
      what: `building Kubernetes ${version.git} with Go, once (5 to 20 minutes)`,
      onProgress,
      state: () => (packages === 0 ? 'downloading modules' : `${packages} packages of about 2000 compiled`),
      work: async () => {
        const result = await runCommand({
          command: go,
          args: ['build', '-v', ...buildFlags(), '-o', join(draft, 'kubelab'), './cmd/kubelab'],
          cwd: sources,
          env: { ...process.env, CGO_ENABLED: '0' },
          onStderrLine: (line) => {
            if (/^[\w.-]+(\/[\w.-]+)*$/.test(line)) packages += 1;
          },
        });
        if (result.code === 0) return;
        const reason = result.stderr.trim().split('\n').slice(-3).join(' | ');
        throw new FirebreakError('FB_ERR_PLATFORM_PART_MISSING', `Kubernetes could not be built with ${go}: ${reason}`);
      },
    });
  };
  try {
    return join(await cachedPart({ name: `kubelab-${sourceHash(sources)}`, install: build, onProgress }), 'kubelab');
  } catch (error) {
    if (error instanceof NoGo) return undefined;
    throw error;
  }
}

class NoGo extends Error {}

function buildFlags(): string[] {
  const component = 'k8s.io/component-base/version';
  const values = {
    [`${component}.gitVersion`]: version.git,
    [`${component}.gitMajor`]: version.major,
    [`${component}.gitMinor`]: version.minor,
    [`${component}.gitTreeState`]: 'clean',
    'k8s.io/client-go/pkg/version.gitVersion': version.git,
  };
  const linked = Object.entries(values).map(([name, value]) => `-X ${name}=${value}`);
  return ['-trimpath', ...flags({ ldflags: ['-s', '-w', ...linked].join(' ') }).map((flag) => flag.slice(1))];
}

function sourceHash(folder: string): string {
  const hash = createHash('sha256').update(`${platform()} ${arch()} ${JSON.stringify(version)}`);
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((file) => /\.(go|mod|sum)$/.test(file));
  for (const file of files.sort()) hash.update(`\0${file}\0`).update(readFileSync(join(folder, file)));
  return hash.digest('hex').slice(0, 16);
}
