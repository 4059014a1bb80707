import type { Pool } from '../../core/action/action.ts';
import type { KubernetesApi } from '../../integrations/kubernetes/client.ts';
import { KubernetesError } from '../../integrations/kubernetes/client-error.ts';
import type { Config } from '../config/load.ts';
import { type MissingRight, missingRightsOf } from '../rbac/missing.ts';
import type { MissingByPool } from '../rbac/missing-report.ts';
import { type Logger, reasonOf } from './log.ts';
import { repeatAsItSays } from './repeat.ts';

interface RightsWatchOptions {
  readonly api: KubernetesApi;
  /** The pools of this process. */
  readonly pools: readonly Pool[];
  readonly config: Config;
  readonly log: Logger;
}

const everyMs = 10 * 60_000;
const againMs = 15_000;

/**
 * Finds which actions this process's account cannot perform, and which rights are missing: checked at the start and every ten minutes, not only when an
 * attacker is there. Logs what has changed since.
 */
export class RightsWatch {
  readonly #options: RightsWatchOptions;
  readonly #missing = new Map<Pool, readonly MissingRight[]>();
  #isAway = false;

  constructor(options: RightsWatchOptions) {
    this.#options = options;
  }

  get pools(): readonly Pool[] {
    return this.#options.pools;
  }

  missing(): MissingByPool {
    return this.#missing;
  }

  start(signal: AbortSignal): void {
    void repeatAsItSays({ work: async () => ((await this.look()) ? everyMs : againMs), signal });
  }

  /** Checks once; false if there was no answer, in which case the previous result stays. Never rejects. */
  async look(): Promise<boolean> {
    const { api, pools, config, log } = this.#options;
    try {
      for (const pool of pools) {
        const found = await missingRightsOf(config, { api, pool });
        this.#say(pool, found);
        this.#missing.set(pool, found);
      }
      if (this.#isAway) log.info({ pools, server: api.server }, 'the API server answers again');
      this.#isAway = false;
      return true;
    } catch (error) {
      if (error instanceof KubernetesError && error.status === 0) this.#sayUnreachable(error);
      else log.warn({ pools, reason: reasonOf(error) }, 'cannot check for missing rights');
      return false;
    }
  }

  /** In full once, as whoever reads the log should not have to run the doctor for it; then briefly, until it answers. */
  #sayUnreachable(error: KubernetesError): void {
    const { api, pools, log } = this.#options;
    const about = { pools, server: api.server, reason: reasonOf(error) };
    if (this.#isAway) {
      log.warn(about, 'the API server still does not answer');
      return;
    }
    this.#isAway = true;
    log.error(
      { ...about, remedy: error.remedy },
      'the API server does not answer: without it this process can do nothing in the cluster',
    );
  }

  #say(pool: Pool, found: readonly MissingRight[]): void {
    const { log } = this.#options;
    const before = this.#missing.get(pool) ?? [];
    const isIn = (list: readonly MissingRight[], right: string): boolean => list.some((one) => one.right === right);
    for (const { right, neededBy } of found)
      if (!isIn(before, right))
        log.warn(
          { pool, right, neededBy },
          'a right is missing in the cluster: `firebreak rbac manifests` prints the rules that grant it',
        );
    for (const { right, neededBy } of before)
      if (!isIn(found, right)) log.info({ pool, right, neededBy }, 'a missing right has been granted');
  }
}
