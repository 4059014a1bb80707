import type { ActionDeclaration } from '../../core/action/action.ts';
import { StepFailure } from '../step-failure.ts';
import { condition, type FailedPromise, namesPlaces, type PromiseOwner } from '../world.ts';

/** Thrown through a body that has declared that the alert is not for it. */
class BodySkipped extends Error {
  readonly reason: string;

  constructor(reason: string) {
    super(`skipped: ${reason}`);
    this.name = 'BodySkipped';
    this.reason = reason;
  }
}

/**
 * Whether a step only looks: a body that has done nothing else has used nothing up. A desk action such as a ticket counts as `read` too, but leaves something
 * behind.
 */
export function onlyLooks({ effect, pool }: ActionDeclaration): boolean {
  return effect === 'read' && pool !== 'desk';
}

const longestReason = 500;
/** A step costs some 25 events of the incident's history, which Temporal limits to 51 200: beyond that it ends the run with everything in it. */
const mostBegun = 1_500;

interface BodyWorkOptions {
  /** Called once, before the first thing that does more than look. */
  readonly onAct: () => void;
  /** Called if a promise of the body failed, and nobody has awaited it by the body's end. */
  readonly onDropped: (failed: FailedPromise) => void;
}

/** What a body has begun: whether it may still declare that it did nothing, and what it has not waited for. */
export class BodyWork implements PromiseOwner {
  readonly #options: BodyWorkOptions;
  readonly #open = new Map<Promise<unknown>, { readonly what: string; readonly call: Error | undefined }>();
  /** Where the author made the call that failed: by the time it fails, the stack contains only the engine's frames. */
  readonly #calls = new WeakMap<object, Error>();
  readonly #failed: FailedPromise[] = [];
  #hasEnded = false;
  #acted: string | undefined;
  #begun = 0;
  #skipped: BodySkipped | undefined;

  constructor(options: BodyWorkOptions) {
    this.#options = options;
  }

  /**
   * Everything that a body waits for goes through here. Returns the very same promise: an extra one would reorder the body's commands.
   *
   * @throws BodySkipped; StepFailure if the body has begun so much that it must be in a loop
   */
  begin<T>(what: string, acts: boolean, go: () => Promise<T>): Promise<T> {
    if (this.#skipped) throw this.#skipped;
    this.#begun += 1;
    if (this.#begun > mostBegun) throw loopFailure();
    return this.tidy(what, acts, go);
  }

  /** The body does more than look, or the engine does for it: it cannot be skipped any more. */
  acts(what: string): void {
    if (this.#acted !== undefined) return;
    this.#acted = what;
    this.#options.onAct();
  }

  /** The same for cleaning up after a body, however much it has begun. */
  tidy<T>(what: string, acts: boolean, go: () => Promise<T>): Promise<T> {
    if (acts) this.acts(what);
    const call = namesPlaces() ? new Error(what) : undefined;
    const work = go();
    this.#open.set(work, { what, call });
    work.then(
      () => void this.#open.delete(work),
      (error: unknown) => {
        this.#open.delete(work);
        this.#place(error, call);
      },
    );
    return work;
  }

  /** For what the engine has begun and the body reads: if it fails, it failed where the body has read it. */
  read<T>(what: string, work: Promise<T>): Promise<T> {
    const call = namesPlaces() ? new Error(what) : undefined;
    work.catch((error: unknown) => this.#place(error, call));
    return work;
  }

  #place(error: unknown, call: Error | undefined): void {
    if (call && error instanceof Error) this.#calls.set(error, call);
  }

  /** @throws BodySkipped; StepFailure if the body has already acted. */
  skip(reason: string): never {
    if (this.#skipped) throw this.#skipped;
    if (this.#acted !== undefined)
      throw new StepFailure('FB_ERR_REFUSED', `a body that has acted (${this.#acted}) cannot be skipped: return instead`);
    this.#skipped = new BodySkipped(reason.slice(0, longestReason));
    throw this.#skipped;
  }

  get skipped(): BodySkipped | undefined {
    return this.#skipped;
  }

  /** Describes what it has begun and not waited for. */
  get unsettled(): readonly string[] {
    return [...this.#open.values()].map(({ what, call }) => {
      const place = call && placeIn(call);
      return place === undefined ? what : `${what} (${place})`;
    });
  }

  /** File and line in the author's source where something was thrown, or where the failed call was made; undefined if unknown. */
  placeOf(thrown: unknown): string | undefined {
    return thrown instanceof Error ? placeIn(this.#calls.get(thrown) ?? thrown) : undefined;
  }

  /** While the body runs, it may still await it. */
  onFailed(failed: FailedPromise): void {
    if (failed.reason instanceof BodySkipped) return;
    if (this.#hasEnded) this.#options.onDropped(failed);
    else this.#failed.push(failed);
  }

  /** Reports what has failed without being awaited so far; later failures are reported as they occur. */
  end(): void {
    this.#hasEnded = true;
    for (const failed of this.#failed) if (!failed.isAwaited()) this.#options.onDropped(failed);
  }

  /** Waits until everything is over, including what begins meanwhile: a part that nobody awaits may go on to its next step. */
  async settled(): Promise<void> {
    await condition(() => this.#open.size === 0);
  }
}

function loopFailure(): StepFailure {
  const place = placeIn(new Error('here'));
  const text = `it has begun more than ${mostBegun} steps, plans, questions and pauses: it is in a loop`;
  return new StepFailure('FB_ERR_PLAYBOOK_LOOPS', place === undefined ? text : `${text}, at ${place}`);
}

/** A frame of an author's file, as the bundle's source map names it: from its `playbooks` folder on. The engine's own frames have no file. */
const authorsFrame = /^ +at (?:.*\()?((?:[\w@.-]+\/)+[\w@.-]+\.[cm]?[jt]s:\d+):\d+\)?$/m;

function placeIn({ stack = '' }: Error): string | undefined {
  return authorsFrame.exec(stack)?.[1];
}
