import { copyFileSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { FirebreakError } from '../../../core/errors.ts';
import { type ActivePromotion, type PromotionTerms, promotedOf, releaseText } from '../../../core/orders/promotion.ts';
import { canonicalJson } from '../../../core/text/digest.ts';
import { promotedFile } from '../../config/complete/complete-packs.ts';
import { promotedFolder } from '../../config/complete.ts';
import { type Config, type ConfigSource, loadConfig } from '../../config/load.ts';
import type { Secrets } from '../../config/secrets.ts';
import { orderedRelease, type Releases, wideningOfRelease } from '../../packs/promotion.ts';
import { type Logger, reasonOf } from '../../process/log.ts';
import { openPublishers, openReleases } from '../../process/releases.ts';
import { repeat } from '../../process/repeat.ts';
import { workflowBuild } from '../../temporal/bundle/pack-build.ts';
import { RepeatedTrouble } from '../../temporal/repeated-trouble.ts';

const lookEveryMs = 2_000;
const againAfterMs = 60_000;

interface PromotedPacksOptions {
  readonly config: Config;
  readonly secrets: Pick<Secrets, 'releases'>;
  /** What stands above all incidents, as this process believes it. */
  readonly promotions: () => readonly ActivePromotion[];
  readonly log: Logger;
  readonly now?: () => number;
}

/**
 * Which versions of packs of the store run in this process: what people have decided, and nobody else. The store and Temporal can have it find out later, or not
 * at all; then what runs stays as it is.
 */
export class PromotedPacks {
  readonly #options: PromotedPacksOptions;
  readonly #now: () => number;
  #releases: Promise<Releases> | undefined;

  constructor(options: PromotedPacksOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
  }

  /** Why this may not be proposed: the version is not what the order says, or may do more than it says. */
  async problemOf(terms: PromotionTerms): Promise<string | undefined> {
    const { config } = this.#options;
    if (!config.releases.packs.includes(terms.pack))
      return `The configuration names no pack ${terms.pack} of the store of releases.`;
    try {
      const releases = await this.#open();
      const widens = await wideningOfRelease(releases, await orderedRelease(releases, terms), this.#liveOf(terms.pack));
      if (canonicalJson(widens) === canonicalJson(terms.widens)) return undefined;
      return `It may do otherwise than the order says: ${widens.join('; ') || 'nothing more than the version before'}. Order it again.`;
    } catch (error) {
      return `${releaseText(terms)} cannot be looked at: ${wordsOf(error)}.`;
    }
  }

  /**
   * Looks until what runs is not what was decided any more, and what was decided can be run: then it lies where the configuration is read anew, and the build
   * is made. Never rejects. False where `signal` has ended it.
   */
  async changed(source: ConfigSource, builds: boolean, signal: AbortSignal): Promise<boolean> {
    const { log } = this.#options;
    const trouble = new RepeatedTrouble();
    const stop = new AbortController();
    const until = AbortSignal.any([signal, stop.signal]);
    let notBefore = 0;
    let failed = '';
    let changed = false;
    const work = async (): Promise<void> => {
      const wanted = this.#wanted();
      const key = canonicalJson(wanted.map(([pack, live]) => [pack, live?.integrity ?? null]));
      if (key === canonicalJson(this.#running()) || (key === failed && this.#now() < notBefore)) return;
      try {
        await this.#adopt(wanted, source, builds);
        changed = true;
        stop.abort();
      } catch (error) {
        failed = key;
        notBefore = this.#now() + againAfterMs;
        const reason = wordsOf(error);
        const said = trouble.met(reason);
        if (said) log.error({ reason, ...said }, 'what was promoted cannot be run: what runs stays as it was');
      }
    };
    await repeat({ work, everyMs: lookEveryMs, signal: until });
    return changed;
  }

  /** The store, and whose signature counts. */
  releases(): Promise<Releases> {
    return this.#open();
  }

  #liveOf(pack: string): PromotionTerms | undefined {
    const terms = this.#options.promotions().map((one) => one.terms);
    return promotedOf(pack, terms, this.#now()).live;
  }

  #wanted(): readonly (readonly [string, PromotionTerms | undefined])[] {
    return this.#options.config.releases.packs.map((pack) => [pack, this.#liveOf(pack)] as const);
  }

  #running(): readonly (readonly [string, string | null])[] {
    const { releases, packs } = this.#options.config;
    return releases.packs.map((pack) => [pack, packs.find(({ name }) => name === pack)?.integrity ?? null] as const);
  }

  async #adopt(
    wanted: readonly (readonly [string, PromotionTerms | undefined])[],
    source: ConfigSource,
    builds: boolean,
  ): Promise<void> {
    const { config, log } = this.#options;
    const folder = promotedFolder(config.stateDir);
    const draft = `${folder}.draft`;
    const running = new Map(this.#running());
    const releases = await this.#open();
    rmSync(draft, { recursive: true, force: true });
    mkdirSync(draft, { recursive: true });
    for (const [pack, live] of wanted) {
      if (!live) continue;
      if (running.get(pack) === live.integrity) copyFileSync(promotedFile(folder, pack), promotedFile(draft, pack));
      else {
        await orderedRelease(releases, live);
        writeFileSync(promotedFile(draft, pack), await releases.store.release(pack, live.release));
      }
    }
    // As the next start will read it: with another version a parameter may be gone that the configuration sets.
    const next = loadConfig({ ...source, promoted: draft });
    for (const [pack, live] of wanted)
      if (next.packs.find(({ name }) => name === pack)?.integrity !== live?.integrity)
        throw new FirebreakError('FB_ERR_CONFLICT', `the store has changed ${pack} meanwhile`);
    if (builds) await workflowBuild(next);
    rmSync(folder, { recursive: true, force: true });
    renameSync(draft, folder);
    const versions = next.packs.map(({ name, version }) => `${name}@${version}`);
    log.info({ packs: versions }, 'other versions of packs were promoted: the service restarts with them');
  }

  #open(): Promise<Releases> {
    const { config, secrets } = this.#options;
    this.#releases ??= (async () => ({
      store: await openReleases({ config, secrets }),
      publishers: await openPublishers(config),
    }))();
    return this.#releases;
  }
}

/** Of an error that this code has made itself, its words. */
function wordsOf(error: unknown): string {
  return error instanceof Error && !(error instanceof FirebreakError) ? error.message : reasonOf(error);
}
