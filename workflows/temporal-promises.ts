import { AsyncLocalStorage, inWorkflowContext } from '@temporalio/workflow';
import { getActivator } from '@temporalio/workflow/lib/global-attributes.js';
import type { FailedPromise, PromiseOwner } from './world.ts';

/** What the workflows' thread tells of a promise (`service/temporal/workflow-thread.ts`). */
interface MadePromise {
  readonly formatted: string;
  /** File and line of the author's source, where an author's own code is just making it, and not the engine for it. */
  readonly madeAt?: () => string | undefined;
}

/**
 * Promises that authors make and drop. One that fails, and for which nobody waits, would fail the workflow's task, again at each attempt: the worker
 * takes it for a fault of the workflow, and its incident would stand still. Here it is heard, and told to the body that made it.
 *
 * The workflows' thread tells of each promise when it is made, and which others were made to wait for it, by two maps of the sandbox, which the SDK has
 * for traces of stacks. These stand in their place. A promise is listened to in the moment in which it settles, when nothing else waits for it: so nothing is ordered
 * anew, and what is not settled costs nothing. All of it follows from what the bodies do, and is the same at each replay.
 */
export function hearDroppedPromises(): { readonly within: <T>(owner: PromiseOwner, run: () => T) => T } {
  // Whoever only looks at what the workflows declare runs none.
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
        // Whoever listens asks it for its class, and an author's answer may be to throw.
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
