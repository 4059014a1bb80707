import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { arch, platform } from 'node:os';
import { join } from 'node:path';
import { FirebreakError } from '../../core/errors.ts';
import { askAgain, cachedPart, type OnProgress, withProgress } from '../../service/parts/cache.ts';
import { findOnPath, flags } from '../../service/parts/command.ts';
import type { RunForPart } from '../../service/parts/part-draft.ts';
import { projectRoot } from '../../service/process/project-root.ts';
import { compileFlags, goEnvironment } from '../setup/go-build.mjs';

/** A program built with Go from a module of this project. */
export interface GoProgram {
  /** Name of the part in the cache. */
  readonly name: string;
  /** The module's folder, from the project's root. */
  readonly module: string;
  /** The build target: `./cmd/kubelab`, or `tool` for all tools that go.mod names. */
  readonly target: string;
  /** Values linked in, by the name of their variable. */
  readonly linked: Readonly<Record<string, string>>;
  /** The file to use instead of `go.mod`, with its sums next to it: the same sources with other modules. */
  readonly modfile?: string;
  /** Build tags, for example to leave something out. */
  readonly tags?: readonly string[];
  /** The target architecture, possibly not this machine's: if set, the program does not record its checkout, and is the same bytes wherever it is built. */
  readonly architecture?: string;
  /** Added to the hash under which the part is cached, besides the sources. */
  readonly pinned: unknown;
  /** Title for people: `Kubernetes v1.37.2`. */
  readonly title: string;
}

/**
 * Returns the folder of the built programs, made on first use and cached under a hash of its sources. Undefined if there is no Go and none is cached. Throws
 * FB_ERR_PLATFORM_PART_MISSING if the build fails.
 */
export async function goProgram(program: GoProgram, onProgress: OnProgress): Promise<string | undefined> {
  const { name, title, target } = program;
  const sources = join(projectRoot(), program.module);
  const go = findOnPath('go');
  const build = async (draft: string, run: RunForPart): Promise<void> => {
    if (!go) throw new NoGo();
    const progress = new BuildProgress();
    await withProgress({
      what: `building ${title} with Go, once`,
      onProgress,
      state: () => progress.text(),
      work: async () => {
        const tags = program.tags ? ['-tags', program.tags.join(',')] : [];
        const modfile = program.modfile === undefined ? [] : ['-modfile', program.modfile];
        const flags = [...compileFlags, ...modfile, ...tags, ...linkFlags(program.linked), '-o', `${draft}/`, target];
        const env = {
          ...goEnvironment(),
          ...(program.architecture && { GOARCH: program.architecture, GOFLAGS: '-buildvcs=false' }),
        };
        const common = { command: go, cwd: sources, env };
        // Lists what Go would do: only what its cache lacks. This also fetches the modules.
        await run({ ...common, args: ['build', '-n', ...flags], onStderrLine: (line) => progress.willRun(line) });
        progress.begin();
        let failed: string | undefined;
        await askAgain(async () => {
          const result = await run({
            ...common,
            args: ['build', '-v', ...flags],
            onStderrLine: (line) => progress.compiled(line),
          });
          failed = result.code === 0 ? undefined : result.stderr;
          return failed !== undefined && notFetched.test(failed) ? failed : undefined;
        });
        if (failed === undefined) return;
        const reason = failed.trim().split('\n').slice(-3).join(' | ');
        throw new FirebreakError('FB_ERR_PLATFORM_PART_MISSING', `${title} could not be built with ${go}: ${reason}`);
      },
    });
  };
  try {
    const version = sourceHash(sources, program);
    return await cachedPart({ name, version, source: `built with Go: ${title}`, install: build, onProgress });
  } catch (error) {
    if (error instanceof NoGo) return undefined;
    throw error;
  }
}

/** Progress of a build, and its estimated remaining time: by the bytes of source compiled so far, since package sizes differ a thousandfold. */
export class BuildProgress {
  readonly #bytes = new Map<string, number>();
  readonly #now: () => number;
  #total = 0;
  #done = 0;
  #packages = 0;
  #begunAt: number | undefined;

  constructor(now: () => number = Date.now) {
    this.#now = now;
  }

  /** Reads a line of `go build -n`. */
  willRun(line: string): void {
    const name = /\/compile -o .* -p (\S+) /.exec(line)?.[1];
    if (name === undefined) return;
    const files = line.split(' ').filter((word) => word.endsWith('.go'));
    const bytes = files.reduce((sum, file) => sum + (statSync(file, { throwIfNoEntry: false })?.size ?? 0), 0);
    this.#bytes.set(name, bytes);
    this.#total += bytes;
  }

  begin(): void {
    this.#begunAt = this.#now();
  }

  /** Reads a line of `go build -v`: a package that is about to be compiled. */
  compiled(line: string): void {
    const bytes = this.#bytes.get(line);
    if (bytes === undefined) return;
    this.#bytes.delete(line);
    this.#packages += 1;
    this.#done += bytes;
  }

  text(): string {
    if (this.#begunAt === undefined) return 'fetching modules';
    if (this.#bytes.size === 0) return 'linking';
    const of = `${this.#packages} of ${this.#packages + this.#bytes.size} packages`;
    // The first few packages say little.
    if (this.#done < this.#total / 50) return of;
    const left = ((this.#now() - this.#begunAt) / this.#done) * (this.#total - this.#done);
    const minutes = Math.ceil(left / 60_000);
    return `${of}, ${left < 60_000 ? 'less than a minute' : `about ${minutes} min`} left`;
  }
}

/** Go's message about a module that its proxy did not deliver. */
const notFetched = /\b(?:Get|reading) "?https?:\/\//;

class NoGo extends Error {}

function linkFlags(values: Readonly<Record<string, string>>): string[] {
  const linked = Object.entries(values).map(([name, value]) => `-X ${name}=${value}`);
  return flags({ ldflags: ['-s', '-w', ...linked].join(' ') }).map((flag) => flag.slice(1));
}

/** Hash of the module's own files, excluding other commands' files if it builds one command. */
function sourceHash(folder: string, { target, pinned, tags, architecture = arch(), modfile = 'go.mod' }: GoProgram): string {
  const hash = createHash('sha256').update(`${platform()} ${architecture} ${JSON.stringify(pinned)}${tags?.join() ?? ''}`);
  const modules = [modfile, modfile.replace(/\.mod$/, '.sum')];
  const own = target.replace(/^\.\/?/, '');
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter(
    (file) => modules.includes(file) || (file.endsWith('.go') && (own === '' ? !file.includes('/') : file.startsWith(`${own}/`))),
  );
  for (const file of files.sort()) hash.update(`\0${file}\0`).update(readFileSync(join(folder, file)));
  return hash.digest('hex').slice(0, 16);
}
