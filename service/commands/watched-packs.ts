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

/** A saved pack is tried once it is the same in two consecutive looks: an editor may still be writing. */
const lookEveryMs = 50;

/**
 * Code that is not pinned and runs as soon as it is saved is not allowed where something is at stake.
 * @throws FB_ERR_REFUSED unless Temporal and the cluster are on this machine.
 */
export async function requireLocal({ temporal, kubernetes }: Pick<Config, 'temporal' | 'kubernetes'>): Promise<void> {
  const { kubeconfig: file, context } = kubernetes;
  const server =
    file === undefined ? undefined : new URL((await accessFromKubeconfig({ file, ...(context && { context }) })).server);
  const far = [
    ...(isHere(new URL(`tcp://${temporal.address}`).hostname) ? [] : [`Temporal is at ${temporal.address}`]),
    ...(server === undefined
      ? ['the cluster is the one that this process runs in']
      : isHere(server.hostname)
        ? []
        : [`the cluster is at ${server.host}`]),
  ];
  if (far.length === 0) return;
  throw new FirebreakError(
    'FB_ERR_REFUSED',
    `--watch runs code that is not pinned, so Temporal and the cluster must be on this machine, but ${far.join(', and ')}. Pin the pack in the configuration instead`,
  );
}

function isHere(host: string): boolean {
  return host === 'localhost' || host === '[::1]' || /^127(\.\d+){3}$/.test(host);
}

/** Tools kept ready before a save: starting them then would take most of the time until the saved code is live. */
export class ReadyForSaves {
  readonly #bundler = new WarmBundler();
  readonly #describing = new DescribingAhead();

  build(config: Parameters<typeof workflowBuild>[0]): Promise<WorkflowBuild> {
    return workflowBuild({ ...config, bundle: (job) => this.#bundler.bundle(job) });
  }

  /**
   * Prepares the description of the pack in a folder for the check, which would otherwise run its modules. Errors are ignored: the check reports them better.
   */
  async describe(folder: string, stateDir: string): Promise<void> {
    try {
      const files = readPack({ folder });
      if (packFaults(files).length > 0) return;
      keepDescription(files, stateDir, await this.#describing.describe(files));
    } catch {
      // The check will find the error itself.
    }
  }

  /** Prepares for the next save. */
  again(): void {
    this.#describing.prepare();
  }

  close(): void {
    this.#bundler.close();
    this.#describing.close();
  }
}

/**
 * Watches until the packs differ from the running ones and the saved code can run, then makes its build. If only bodies have changed, new incidents start with
 * it alongside the running build, and watching continues. Otherwise returns true, and the service must be restarted. A mistake is reported with file and line,
 * and the running build stays. Returns false if `signal` ended it.
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
  /** Makes new incidents start with it while everything else continues; false if that is not possible. */
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
    if (now === live) return log.info({}, 'the pack matches the running code again');
    // Runs in parallel with the check, which runs the modules in a separate process: the bundler only reads them. Errors are ignored: the check reports them better.
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
 * Returns whether nothing differs except the code of bodies: an envelope is data, and everything in the service except the workflows depends on envelopes. A
 * pack's own actions run in a pool, which has to be restarted for new code.
 */
function differInBodies(running: Config, next: Config): boolean {
  const { packs, ...rest } = running;
  const { packs: nextPacks, ...nextRest } = next;
  const said = (all: Config['packs']): readonly object[] => all.map(({ integrity: _, ...pack }) => pack);
  const acts = packs.some(({ actions }) => actions.length > 0);
  return !acts && isDeepStrictEqual(said(packs), said(nextPacks)) && isDeepStrictEqual(rest, nextRest);
}

/** Lets commands find the running version of these folders. A folder that was saved again in the meantime follows with the next save. */
export function keepAsAccepted({ packs, stateDir }: Pick<Config, 'packs' | 'stateDir'>, watched: readonly string[]): void {
  const taken = watched.flatMap((folder) => {
    const running = packs.find(({ source }) => 'folder' in source && source.folder === folder);
    const pack = running && readPack({ folder });
    return pack && pack.integrity === running.integrity ? [{ folder, pack }] : [];
  });
  if (taken.length === watched.length) keepAccepted(stateDir, taken);
}

/** The pack with the code that is in its folder now. */
function asSaved(pack: ConfiguredPack): ConfiguredPack {
  return 'folder' in pack.source ? { ...pack, integrity: codeIn(pack.source.folder) } : pack;
}

/** The integrity of the folder's code or, if it currently is not a pack, the reason. */
function codeIn(folder: string): string {
  try {
    return readPack({ folder }).integrity;
  } catch (error) {
    return error instanceof Error ? error.message : 'it cannot be read';
  }
}
