import { AsyncLocalStorage } from 'node:async_hooks';
import { LRUCache } from 'lru-cache';
import { OpenSteps, type OwnStep, requestText, stampToleranceMs, type UnderwayStep } from '../../core/action/own-steps.ts';
import type { Alert } from '../../core/alert/alert.ts';
import type { Box } from '../../integrations/crypto-box/box.ts';
import { openStep, sealStep } from '../../integrations/crypto-box/step-stamp.ts';

const rememberedStamps = 10_000;

/**
 * Recognises what Firebreak itself does to the cluster, by two signs. In this process: a step that is open on that object. From any process that holds the key
 * (a pool of its own, another replica, this one before a restart): the stamp that each request of a step carries as its User-Agent into the API server's audit,
 * sealed for this one request. Both count only together with the account that the API server authenticated.
 */
export class OwnSteps {
  readonly #open: OpenSteps;
  readonly #box: Box;
  readonly #now: () => number;
  readonly #current = new AsyncLocalStorage<UnderwayStep>();
  /** Event that each stamp came with: if it appears with another one, somebody has copied it. */
  readonly #seen = new LRUCache<string, string>({ max: rememberedStamps });
  #account: string | undefined;

  constructor({ box, now = Date.now }: { readonly box: Box; readonly now?: () => number }) {
    this.#box = box;
    this.#now = now;
    this.#open = new OpenSteps(now);
  }

  /** Sets the name under which the API server has authenticated us. Until it is known, nothing is ours. */
  knownAs(account: string): void {
    this.#account = account;
    this.#open.knownAs(account);
  }

  /** Registers a step for as long as it runs, and stamps its requests to the API server. */
  async during<T>(step: UnderwayStep, work: () => Promise<T>): Promise<T> {
    const end = this.#open.begin(step);
    try {
      return await this.#current.run(step, work);
    } finally {
      end();
    }
  }

  /** The stamp for a request of the running step; undefined outside of steps. */
  stamp(request: { readonly method: string; readonly path: string }): string | undefined {
    const step = this.#current.getStore();
    if (step === undefined || this.#account === undefined) return undefined;
    const { action, incident, key } = step;
    return sealStep(this.#box, {
      request: requestText(request),
      step: { account: this.#account, at: this.#now(), action, incident, key },
    });
  }

  /** The step that caused this alert. A name, an image or a label is never enough, and anything that acts as another account is not us. */
  causing(alert: Alert): OwnStep | undefined {
    return this.#open.causing(alert) ?? this.#stamped(alert);
  }

  #stamped({ id, sensor, time, apiRequest }: Alert): OwnStep | undefined {
    if (sensor !== 'kubernetes-audit' || apiRequest?.stamp === undefined || apiRequest.impersonates !== undefined)
      return undefined;
    const { stamp, account } = apiRequest;
    const step = openStep(this.#box, { request: stamp.request, stamp: stamp.sealed });
    if (step === undefined || step.account !== account) return undefined;
    if (Math.abs(Date.parse(time) - step.at) > stampToleranceMs) return undefined;
    const seenWith = this.#seen.get(stamp.sealed);
    if (seenWith !== undefined) return seenWith === id ? step : undefined;
    this.#seen.set(stamp.sealed, id);
    return step;
  }
}
