import { readFile } from 'node:fs/promises';
import { hasCode } from '../../../core/errors.ts';
import type { Config } from '../../config/load.ts';
import type { Secrets } from '../../config/secrets.ts';
import type { ReleaseStore } from '../../packs/release-store.ts';
import { type Logger, reasonOf } from '../../process/log.ts';
import { openReleases } from '../../process/releases.ts';
import { repeatAsItSays } from '../../process/repeat.ts';
import { openRoleSigner, openTrust } from '../../process/trust.ts';
import { storeCode, type WorkflowBuild } from '../../temporal/bundle/bundle.ts';
import { RepeatedTrouble } from '../../temporal/repeated-trouble.ts';

const againMs = 30_000;
const foreverMs = 2_147_483_647;

/**
 * The builds of this cell in the store of releases. Each build that new incidents begin with is stored there, so that a cell that has lost its disk can finish
 * what it began. Anyone with write access there can remove a build, but cannot pass off one that no trusted cell has signed.
 */
export class DurableBuilds {
  readonly #config: Config;
  readonly #secrets: Pick<Secrets, 'releases'>;
  readonly #log: Logger;
  #store: Promise<ReleaseStore> | undefined;

  constructor({
    config,
    secrets,
    log,
  }: {
    readonly config: Config;
    readonly secrets: Pick<Secrets, 'releases'>;
    readonly log: Logger;
  }) {
    this.#config = config;
    this.#secrets = secrets;
    this.#log = log;
  }

  /** Retries until the build is stored. Ends with `signal`. Never rejects. */
  async keep(build: WorkflowBuild, signal: AbortSignal): Promise<void> {
    const trouble = new RepeatedTrouble();
    await repeatAsItSays({
      signal,
      work: async () => {
        try {
          const store = await this.#open();
          const signer = await openRoleSigner(this.#config, 'cell');
          await store.keepBuild({ id: build.id, cluster: this.#config.cluster, code: await readFile(build.path), signer });
          return foreverMs;
        } catch (error) {
          const reason = reasonOf(error);
          const said = trouble.met(reason);
          if (said) this.#log.warn({ build: build.id, reason, ...said }, 'cannot put this build into the store; trying again');
          return againMs;
        }
      },
    });
  }

  /** Returns undefined, and logs why, if the store has no trusted build. @throws FB_ERR_UNAVAILABLE if it does not answer. */
  async fetch(id: string): Promise<WorkflowBuild | undefined> {
    const { cluster, stateDir } = this.#config;
    const store = await this.#open();
    const trust = openTrust(this.#config, 'cell');
    try {
      const code = await store.build({
        id,
        cluster,
        isCell: (signed) => {
          const sender = trust.senderOf(signed);
          return sender?.role === 'cell' && sender.cluster === cluster;
        },
      });
      this.#log.info({ build: id }, 'fetched a build from the store that was not in the state directory');
      return storeCode(id, code, stateDir);
    } catch (error) {
      if (!hasCode(error, 'FB_ERR_NOT_FOUND', 'FB_ERR_REFUSED')) throw error;
      this.#log.warn({ build: id, reason: error.detail }, 'the store does not have the build that open incidents need');
      return undefined;
    }
  }

  #open(): Promise<ReleaseStore> {
    this.#store ??= openReleases({ config: this.#config, secrets: this.#secrets });
    return this.#store;
  }
}
