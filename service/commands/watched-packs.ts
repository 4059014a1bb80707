import { isDeepStrictEqual } from 'node:util';
import { FirebreakError } from '../../core/errors.ts';
import { accessFromKubeconfig } from '../../integrations/kubernetes/kubeconfig.ts';
import { type ConfiguredPack, keepDescription } from '../config/complete/complete-packs.ts';
import { type Config, type ConfigSource, checkConfig } from '../config/load.ts';
import { keepAccepted } from '../packs/accepted-packs.ts';
import { DescribingAhead } from '../packs/describe-ahead.ts';
import { readPack } from '../packs/pack-files.ts';
import { packFaults } from '../packs/pack-rules.ts';
import { reasonOf } from '../process/log.ts';
import { repeat } from '../process/repeat.ts';
import type { WorkflowBuild } from '../temporal/bundle/bundle.ts';
import { workflowBuild } from '../temporal/bundle/pack-build.ts';
import { WarmBundler } from '../temporal/bundle/warm-bundler.ts';

/** What is saved is tried when it has not changed from one look to the next: an editor may be half way through. */
const lookEveryMs = 50;

/**
 * Code that nothing pins, and that is run as soon as it is saved, has no place where something is at stake.
 * @throws FB_ERR_REFUSED unless Temporal and the cluster are on this machine.
 */
export async function requireLocal({ temporal, kubernetes }: Pick<Config, 'temporal' | 'kubernetes'>): Promise<void> {
  const { kubeconfig: file, context } = kubernetes;
  const server =
    file === undefined ? undefined : new URL((await accessFromKubeconfig({ file, ...(context && { context }) })).server);
  const far = [
    ...(isHere(new URL(`tcp://${temporal.address}`).hostname) ? [] : [`Temporal is at ${temporal.address}`]),
    ...(server === undefined
      ? ['the cluster is the one that this runs in']
      : isHere(server.hostname)
        ? []
        : [`the cluster is at ${server.host}`]),
  ];
  if (far.length === 0) return;
  throw new FirebreakError(
    'FB_ERR_REFUSED',
    `--watch runs code that nothing pins, so Temporal and the cluster have to be on this machine: ${far.join(', and ')}. Pin the pack in the configuration instead`,
  );
}

function isHere(host: string): boolean {
  return host === 'localhost' || host === '[::1]' || /^127(\.\d+){3}$/.test(host);
}

/** What stands ready before something is saved: to start it then would take most of the time until what was saved is live. */
export class ReadyForSaves {
  readonly #bundler = new WarmBundler();
  readonly #describing = new DescribingAhead();

  build(config: Parameters<typeof workflowBuild>[0]): Promise<WorkflowBuild> {
    return workflowBuild({ ...config, bundle: (job) => this.#bundler.bundle(job) });
  }

  /** Has what the pack in a folder says of itself there for the check, which else runs its modules. What is wrong with them the check says better. */
  async describe(folder: string, stateDir: string): Promise<void> {
    try {
      const files = readPack({ folder });
      if (packFaults(files).length > 0) return;
      keepDescription(files, stateDir, await this.#describing.describe(files));
    } catch {
      // The check looks for itself.
    }
  }

  /** For the next save. */
  again(): void {
    this.#describing.prepare();
  }

  close(): void {
    this.#bundler.close();
    this.#describing.close();
  }
}

/**
 * Looks until the watched packs are others than those that run, and what was saved can be run: then its build is made. Where bodies alone have changed, new
 * incidents begin with it beside what runs, and it looks on; else it ends with true, and the service has to be started anew. A mistake is told, with file
 * and line, and what runs goes on. False where `signal` has ended it.
 */
export async function savedPacks({
  source,
  running,
  ready,
  build = (config) => ready.build(config),
  adopt,
  log,
  signal,
}: {
  readonly source: ConfigSource & { readonly watched: readonly string[] };
  readonly running: Config;
  readonly ready: ReadyForSaves;
  readonly build?: (config: Parameters<typeof workflowBuild>[0]) => Promise<WorkflowBuild>;
  /** Has new incidents begin with it while all else goes on; false where that cannot be. */
  readonly adopt: (build: WorkflowBuild) => Promise<boolean>;
  readonly log: {
    error(fields: { readonly problem: string; readonly remedy?: string }, message: string): void;
    info(fields: object, message: string): void;
  };
  readonly signal: AbortSignal;
}): Promise<boolean> {
  const stop = new AbortController();
  let live = source.watched
    .map((folder) => running.packs.find((one) => 'folder' in one.source && one.source.folder === folder)?.integrity ?? '')
    .join();
  let [before, tried] = [live, live];
  let isSaved = false;
  const work = async (): Promise<void> => {
    const now = source.watched.map(codeIn).join();
    const isSteady = now === before;
    before = now;
    if (!isSteady || now === tried) return;
    tried = now;
    await taken(now);
    ready.again();
  };
  const taken = async (now: string): Promise<void> => {
    if (now === live) return log.info({}, 'the pack is the same as the running code again');
    // Beside the check, which runs the modules in a process of its own: the bundler only reads them. What is wrong with them the check says better.
    const early = build({ ...running, packs: running.packs.map(asSaved) }).catch(() => undefined);
    const described = source.watched.map((folder) => ready.describe(folder, running.stateDir));
    await Promise.all([early, ...described]);
    const checked = checkConfig(source);
    if (!checked.ok) {
      for (const { problem, remedy } of checked.problems)
        log.error({ problem, remedy }, 'the saved code does not run; the previous code stays live');
      return;
    }
    let made: WorkflowBuild;
    try {
      made = await build(checked.config);
    } catch (error) {
      return log.error({ problem: reasonOf(error) }, 'the saved code does not run; the previous code stays live');
    }
    if (differInBodies(running, checked.config)) {
      log.info({ build: made.id }, 'built the saved code; starting a worker for it');
      if (await adopt(made)) {
        live = now;
        keepAsAccepted(checked.config, source.watched);
        return log.info({ build: made.id }, 'the saved code is live: new incidents run it, open ones keep theirs');
      }
    }
    isSaved = true;
    log.info({}, 'restarting with the saved code');
    stop.abort();
  };
  await repeat({ work, everyMs: lookEveryMs, signal: AbortSignal.any([signal, stop.signal]) });
  return isSaved;
}

/**
 * Whether nothing but what bodies do is otherwise: an envelope is data, and all of the service but the workflows goes by these. What does an action of its
 * own runs in a pool, which has to be started with it.
 */
function differInBodies(running: Config, next: Config): boolean {
  const { packs, ...rest } = running;
  const { packs: nextPacks, ...nextRest } = next;
  const said = (all: Config['packs']): readonly object[] => all.map(({ integrity: _, ...pack }) => pack);
  const acts = packs.some(({ actions }) => actions.length > 0);
  return !acts && isDeepStrictEqual(said(packs), said(nextPacks)) && isDeepStrictEqual(rest, nextRest);
}

/** Has commands find what runs of these folders. What has been saved again meanwhile is taken next. */
export function keepAsAccepted({ packs, stateDir }: Pick<Config, 'packs' | 'stateDir'>, watched: readonly string[]): void {
  const taken = watched.flatMap((folder) => {
    const running = packs.find(({ source }) => 'folder' in source && source.folder === folder);
    const pack = running && readPack({ folder });
    return pack && pack.integrity === running.integrity ? [{ folder, pack }] : [];
  });
  if (taken.length === watched.length) keepAccepted(stateDir, taken);
}

/** With the code that its folder has now. */
function asSaved(pack: ConfiguredPack): ConfiguredPack {
  return 'folder' in pack.source ? { ...pack, integrity: codeIn(pack.source.folder) } : pack;
}

/** What its code is; of what is no pack at the moment, why not. */
function codeIn(folder: string): string {
  try {
    return readPack({ folder }).integrity;
  } catch (error) {
    return error instanceof Error ? error.message : 'it cannot be read';
  }
}
