import { copyFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { FirebreakError } from '../../../core/errors.ts';
import { type ActivePromotion, type PromotionTerms, promotedOf, rampingOf, releaseText } from '../../../core/orders/promotion.ts';
import { canonicalJson } from '../../../core/text/digest.ts';
import { ensureFolderSync } from '../../../integrations/ensure-folder.ts';
import { promotedFile } from '../../config/complete/complete-packs.ts';
import { promotedFolder, rampedFolder } from '../../config/complete.ts';
import { configToRun } from '../../config/left-out.ts';
import type { Config, ConfigSource } from '../../config/load.ts';
import type { Secrets } from '../../config/secrets.ts';
import { orderedRelease, type Releases, wideningOfRelease } from '../../packs/promotion.ts';
import type { ProvenRelease } from '../../packs/release-store.ts';
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
  /** The version of a pack that runs in some incidents. Absent: none. */
  readonly ramping?: RunningRamp | undefined;
  /** Decisions above all incidents that this process trusts. */
  readonly promotions: () => readonly ActivePromotion[];
  readonly log: Logger;
  readonly now?: () => number;
}

/** The version of a pack that some incidents begin with, identified by its code. */
export interface RunningRamp {
  readonly pack: string;
  readonly integrity: string;
}

interface Wanted {
  /** For each pack of the store, the version that runs. */
  readonly live: readonly (readonly [pack: string, terms: PromotionTerms | undefined])[];
  readonly ramping: PromotionTerms | undefined;
}

/**
 * Which pack versions of the store run in this process: only people decide that. The store and Temporal can delay or prevent this process from finding out;
 * then the running versions stay.
 */
export class PromotedPacks {
  readonly #options: PromotedPacksOptions;
  readonly #now: () => number;
  #releases: Promise<Releases> | undefined;

  constructor(options: PromotedPacksOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
  }

  /** Returns why this may not be proposed: the version is not what the order says, or may do more than it says. */
  async problemOf(terms: PromotionTerms): Promise<string | undefined> {
    const { config } = this.#options;
    if (!config.releases.packs.includes(terms.pack))
      return `The configuration does not list the pack ${terms.pack} from the release store.`;
    try {
      const releases = await this.#open();
      const proven = await orderedRelease(releases, terms);
      const live = this.#liveOf(terms.pack);
      const needless = this.#whyNeedless(terms);
      if (needless !== undefined) return needless;
      const unfit = terms.stage === 'percent' ? await this.#problemOfRamp(releases, proven, live) : undefined;
      if (unfit !== undefined) return unfit;
      const widens = await wideningOfRelease(releases, proven, live);
      if (canonicalJson(widens) === canonicalJson(terms.widens)) return undefined;
      return `What it may do differs from the order: ${widens.join('; ') || 'nothing more than the previous version'}. Order it again.`;
    } catch (error) {
      return `${releaseText(terms)} cannot be checked: ${wordsOf(error)}.`;
    }
  }

  /**
   * Waits until the running versions differ from what was decided, and the decided ones can run: then they are stored where the configuration is reloaded from,
   * and the build is made. Never rejects. Returns false if `signal` ended it.
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
      const key = canonicalJson([
        wanted.live.map(([pack, live]) => [pack, live?.integrity ?? null]),
        wanted.ramping ? [wanted.ramping.pack, wanted.ramping.integrity] : null,
      ]);
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
        if (said) log.error({ reason, ...said }, 'cannot run the promoted version; the running one stays');
      }
    };
    await repeat({ work, everyMs: lookEveryMs, signal: until });
    return changed;
  }

  /** The store, and the keys whose signatures count. */
  releases(): Promise<Releases> {
    return this.#open();
  }

  #liveOf(pack: string): PromotionTerms | undefined {
    const terms = this.#options.promotions().map((one) => one.terms);
    return promotedOf(pack, terms, this.#now()).live;
  }

  /** Returns why it would have no effect: a rollback of what already ran would bring the same version back. */
  #whyNeedless(terms: PromotionTerms): string | undefined {
    const { pack, stage, integrity } = terms;
    const active = this.#options.promotions().map((one) => one.terms);
    const { live, ramping } = promotedOf(pack, active, this.#now());
    if (integrity === live?.integrity) {
      const some = `, except those that start with ${ramping && releaseText(ramping)}: firebreak pack rollback ${pack} ends that`;
      return `${releaseText(terms)} runs in every incident already${ramping ? some : ''}.`;
    }
    const isRamping = stage === 'observe' && integrity === ramping?.integrity;
    return isRamping ? `${releaseText(terms)} runs in some incidents already: their records say what it does.` : undefined;
  }

  /** Returns why only some incidents may not begin with it. */
  async #problemOfRamp(
    releases: Releases,
    { statement }: ProvenRelease,
    live: PromotionTerms | undefined,
  ): Promise<string | undefined> {
    const { pack } = statement;
    const other = this.#wanted().ramping;
    if (other && other.pack !== pack)
      return `${releaseText(other)} runs in some incidents: promote it for all, or roll it back first.`;
    // Their pool runs the actions of one version only.
    const before = live && (await orderedRelease(releases, live)).statement;
    if (statement.actions.length > 0 || (before && before.actions.length > 0))
      return `${pack} has actions of its own, and only one version of them can run: promote it with --all.`;
    return undefined;
  }

  #wanted(): Wanted {
    const { packs } = this.#options.config.releases;
    const terms = this.#options.promotions().map((one) => one.terms);
    return {
      live: packs.map((pack) => [pack, this.#liveOf(pack)] as const),
      ramping: rampingOf(packs, terms, this.#now()),
    };
  }

  #running(): readonly [readonly (readonly [string, string | null])[], readonly [string, string] | null] {
    const { config, ramping } = this.#options;
    const { releases, packs } = config;
    return [
      releases.packs.map((pack) => [pack, packs.find(({ name }) => name === pack)?.integrity ?? null] as const),
      ramping ? [ramping.pack, ramping.integrity] : null,
    ];
  }

  /** A start in between finds no version for some incidents, and looks again. */
  async #adopt({ live, ramping }: Wanted, source: ConfigSource, builds: boolean): Promise<void> {
    const { config, log } = this.#options;
    const [folder, ramped] = [promotedFolder(config.stateDir), rampedFolder(config.stateDir)];
    const next = await this.#drafted(`${folder}.draft`, live, source, builds);
    const some = live.map(([pack, terms]) => [pack, pack === ramping?.pack ? ramping : terms] as const);
    if (ramping) await this.#drafted(`${ramped}.draft`, some, source, builds);
    rmSync(ramped, { recursive: true, force: true });
    rmSync(folder, { recursive: true, force: true });
    renameSync(`${folder}.draft`, folder);
    if (ramping) renameSync(`${ramped}.draft`, ramped);
    const packs = next.packs.map(({ name, version }) => `${name}@${version}`);
    log.info({ packs, ...(ramping && { some: releaseText(ramping) }) }, 'restarting: other versions of packs were promoted');
  }

  /** Puts these versions into a separate folder and reads them as the next start will: another version may lack a parameter that the configuration sets. */
  async #drafted(draft: string, wanted: Wanted['live'], source: ConfigSource, builds: boolean): Promise<Config> {
    const running = new Map(this.#running()[0]);
    const releases = await this.#open();
    rmSync(draft, { recursive: true, force: true });
    ensureFolderSync(draft);
    for (const [pack, terms] of wanted) {
      if (!terms) continue;
      const here = promotedFile(promotedFolder(this.#options.config.stateDir), pack);
      if (running.get(pack) === terms.integrity) copyFileSync(here, promotedFile(draft, pack));
      else {
        await orderedRelease(releases, terms);
        writeFileSync(promotedFile(draft, pack), await releases.store.release(pack, terms.release));
      }
    }
    const next = configToRun({ ...source, promoted: draft }, [], this.#options.config);
    for (const [pack, terms] of wanted)
      if (next.packs.find(({ name }) => name === pack)?.integrity !== terms?.integrity)
        throw new FirebreakError('FB_ERR_CONFLICT', `the pack ${pack} has changed in the store in the meantime`);
    if (builds) await workflowBuild(next);
    return next;
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

/** Returns the message of an error that this code has raised itself. */
function wordsOf(error: unknown): string {
  return error instanceof Error && !(error instanceof FirebreakError) ? error.message : reasonOf(error);
}
