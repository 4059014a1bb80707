import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { arch, platform } from 'node:os';
import { join } from 'node:path';
import { FirebreakError } from '../../core/errors.ts';
import { projectRoot } from '../../service/process/project-root.ts';
import { cachedPart, type OnProgress, withHeartbeat } from './cache.ts';
import { findOnPath, flags, runCommand } from './command.ts';

/** What is built with Go from a module of this project. */
export interface GoProgram {
  /** Of the part in the cache. */
  readonly name: string;
  /** The module's folder, from the project's root. */
  readonly module: string;
  /** What to build of it: `./cmd/kubelab`, or `tool` for all tools that go.mod names. */
  readonly target: string;
  /** Values that are linked in, by the name of their variable. */
  readonly linked: Readonly<Record<string, string>>;
  /** Goes into the hash that the part is kept under, besides the sources. */
  readonly pinned: unknown;
  /** In words: `Kubernetes v1.36.3`. */
  readonly title: string;
  /** How long it takes where Go has nothing in its cache. */
  readonly duration: string;
}

/**
 * The folder of the built programs, made on first use and kept in the cache under a hash of its sources. Undefined where
 * there is no Go and none is cached. Throws FB_ERR_PLATFORM_PART_MISSING when the build fails.
 */
export async function goProgram(program: GoProgram, onProgress: OnProgress): Promise<string | undefined> {
  const { title, target, duration } = program;
  const sources = join(projectRoot(), program.module);
  const go = findOnPath('go');
  const build = async (draft: string): Promise<void> => {
    if (!go) throw new NoGo();
    let packages = 0;
    await withHeartbeat({
      what: `building ${title} with Go, once (${duration})`,
      onProgress,
      state: () => (packages === 0 ? 'downloading modules' : `${packages} packages compiled`),
      work: async () => {
        const result = await runCommand({
          command: go,
          args: ['build', '-v', ...buildFlags(program.linked), '-o', `${draft}/`, target],
          cwd: sources,
          env: { ...process.env, CGO_ENABLED: '0' },
          onStderrLine: (line) => {
            if (/^[\w.-]+(\/[\w.-]+)*$/.test(line)) packages += 1;
          },
        });
        if (result.code === 0) return;
        const reason = result.stderr.trim().split('\n').slice(-3).join(' | ');
        throw new FirebreakError('FB_ERR_PLATFORM_PART_MISSING', `${title} could not be built with ${go}: ${reason}`);
      },
    });
  };
  try {
    return await cachedPart({ name: `${program.name}-${sourceHash(sources, program)}`, install: build, onProgress });
  } catch (error) {
    if (error instanceof NoGo) return undefined;
    throw error;
  }
}

class NoGo extends Error {}

function buildFlags(values: Readonly<Record<string, string>>): string[] {
  const linked = Object.entries(values).map(([name, value]) => `-X ${name}=${value}`);
  return ['-trimpath', ...flags({ ldflags: ['-s', '-w', ...linked].join(' ') }).map((flag) => flag.slice(1))];
}

/** Of the module's own files and, where it builds one command, of no other command's. */
function sourceHash(folder: string, { target, pinned }: GoProgram): string {
  const hash = createHash('sha256').update(`${platform()} ${arch()} ${JSON.stringify(pinned)}`);
  const own = target.replace(/^\.\/?/, '');
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter(
    (file) =>
      /^go\.(mod|sum)$/.test(file) || (file.endsWith('.go') && (own === '' ? !file.includes('/') : file.startsWith(`${own}/`))),
  );
  for (const file of files.sort()) hash.update(`\0${file}\0`).update(readFileSync(join(folder, file)));
  return hash.digest('hex').slice(0, 16);
}
