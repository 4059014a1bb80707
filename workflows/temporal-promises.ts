import { AsyncLocalStorage, inWorkflowContext } from '@temporalio/workflow';
import { getActivator } from '@temporalio/workflow/lib/global-attributes.js';
import type { FailedPromise, PromiseOwner } from './world.ts';

/** What the playbook runner reports about a promise (`service/temporal/runner/sandbox.ts`). */
interface MadePromise {
  readonly formatted: string;
  /** File and line of the author's source, if an author's own code is making it right now, and not the engine on its behalf. */
  readonly madeAt?: () => string | undefined;
}

/**
 * Promises that authors make and drop. If one fails and nobody awaits it, it would fail the workflow task at each attempt: the worker treats it as a fault of
 * the workflow, and the incident would stand still. Here the failure is caught, and reported to the body that made the promise.
 *
 * The playbook runner reports each promise when it is made, and which others were made to wait for it, through two maps in the sandbox, which the SDK uses for
 * stack traces. These replace them. A promise is listened to when it settles, if nothing else waits for it: so nothing is reordered, and unsettled promises
 * cost nothing. All of this follows from what the bodies do, and is the same at each replay.
 */
export function hearDroppedPromises(): { readonly within: <T>(owner: PromiseOwner, run: () => T) => T } {
  // Code that only reads what the workflows declare runs none.
  if (!inWorkflowContext()) return { within: (_owner, run) => run() };
  const owners = new AsyncLocalStorage<PromiseOwner>();
  const made = new WeakMap<Promise<unknown>, { readonly owner: PromiseOwner; readonly at: string }>();
  const handled = new WeakSet<Promise<unknown>>();
  let isOurs = false;

  const listen = (promise: Promise<unknown>): void => {
    const known = made.get(promise);
    if (!known || handled.has(promise)) return;
    made.delete(promise);
    isOurs = true;
    try {
      const hear = (reason: unknown): void => {
        const failed: FailedPromise = { reason, at: known.at, isAwaited: () => handled.has(promise) };
        known.owner.onFailed(failed);
      };
      Reflect.apply(Promise.prototype.then, promise, [undefined, hear]);
    } finally {
      isOurs = false;
    }
  };

  const store = getActivator().promiseStackStore;
  store.promiseToStack = new (class extends Map<Promise<unknown>, MadePromise> {
    override set(promise: Promise<unknown>, stack: MadePromise): this {
      const owner = isOurs ? undefined : owners.getStore();
      const at = owner && stack.madeAt?.();
      if (owner && at !== undefined) {
        made.set(promise, { owner, at });
        // A listener reads the promise's class, and an author's getter may throw.
        Object.defineProperty(promise, 'constructor', { value: Promise });
      }
      return super.set(promise, stack);
    }

    override delete(promise: Promise<unknown>): boolean {
      listen(promise);
      return super.delete(promise);
    }
  })() as typeof store.promiseToStack;
  store.childToParent = new (class extends Map<Promise<unknown>, Set<Promise<unknown>>> {
    override set(child: Promise<unknown>, parents: Set<Promise<unknown>>): this {
      if (!isOurs) for (const parent of parents) handled.add(parent);
      return super.set(child, parents);
    }
  })();
  return { within: (owner, run) => owners.run(owner, run) };
}
