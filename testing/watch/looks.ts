import type { Alert } from '../../core/alert/alert.ts';
import type { ListedPlaybook } from '../../core/playbook/pack.ts';
import type { BodyIncident, Settled, StepResult } from '../../core/playbook/playbook.ts';
import { targetText } from '../../workflows/steps/step-data.ts';

type Step = (...args: unknown[]) => Promise<StepResult>;
type Steps = Readonly<Record<string, Step>>;
type SagaPart = (steps: Steps) => Promise<unknown>;
type Run = ListedPlaybook['run'];
type Waiting = Readonly<Record<string, Promise<unknown>>>;

/** The watched parts of a body's context. */
interface Watched {
  readonly alert: Alert;
  readonly containment: Promise<StepResult> | undefined;
  readonly incident: BodyIncident;
  readonly steps: Steps;
  readonly settle: (waiting: Waiting) => Promise<Readonly<Record<string, Settled<unknown>>>>;
  readonly saga: (part: SagaPart) => Promise<unknown>;
  readonly evidence: () => unknown;
  readonly runPlaybook: (other: { readonly id: string; readonly run?: Run }) => Promise<unknown>;
}

/** A call of an action, with what is known to depend on it. */
interface Call {
  readonly target: string;
  readonly onlyLooks: boolean;
  /** Something waits for the call itself, or has asked whether it succeeded: everything after it may depend on that. */
  isHeeded: boolean;
  /** Its evidence is the last of its target if as many others fail as may in one run: the call matters together with them. */
  isHeededWithOthers: boolean;
  /** Set once its output is available. */
  given?: { readonly hasEvidence: boolean };
  isSeen: boolean;
}

/**
 * Tracks which steps a body looks at, in one run after another: at an output, and at whether the step succeeded at all. A step that nobody looks at need not be
 * tried with each answer. If unknown, it counts as looked at.
 */
export class Looks {
  /** Maximum number of steps that fail in one run. */
  readonly #mostFailures: number;
  #calls: Call[] = [];
  #byKey = new Map<string, Call>();
  readonly #byPromise = new WeakMap<Promise<unknown>, Call>();
  #isSettling = false;
  readonly #watchedRuns = new Map<Run, Run>();

  constructor({ mostFailures }: { readonly mostFailures: number }) {
    this.#mostFailures = mostFailures;
  }

  /** Starts a new run. */
  begin(): void {
    this.#calls = [];
    this.#byKey = new Map();
  }

  /** Whether no body has looked at the output of the step with this key. */
  isUnseen(key: string): boolean {
    return this.#byKey.get(key)?.isSeen === false;
  }

  /** Whether nothing would have changed if the step with this key had failed: it only looks, and nobody has asked how it went. */
  isUnheeded(key: string): boolean {
    const call = this.#byKey.get(key);
    return call?.onlyLooks === true && !call.isHeeded;
  }

  /** Returns the target whose evidence the step with this key keeps, if that only matters when others that keep some of it fail too. */
  isHeededWith(key: string): string | undefined {
    const call = this.#byKey.get(key);
    return call?.isHeededWithOthers && !call.isHeeded ? call.target : undefined;
  }

  /** Returns the same playbook, recording what its body looks at. The promises are the engine's own, so the order of events does not change. */
  watch(playbook: ListedPlaybook): ListedPlaybook {
    const run = (context: Watched): Promise<void> => {
      const { incident, alert, containment } = context;
      const heedEvidence = <Result>(look: () => Result): Result => {
        this.#heed(({ onlyLooks }) => onlyLooks);
        return look();
      };
      const watched: Omit<Watched, 'runPlaybook' | 'alert'> = {
        containment: containment && this.#watchCall(containment, { target: targetText({ pod: alert.pod }), onlyLooks: false }),
        incident: new Proxy(incident, {
          get: (of, name) => (name === 'evidence' ? heedEvidence(() => of.evidence) : Reflect.get(of, name)),
        }),
        steps: this.#watchSteps(playbook, context.steps),
        settle: (waiting) => this.#settle(context.settle, waiting),
        saga: (part) => context.saga((steps) => part(this.#watchSteps(playbook, steps))),
        evidence: () => heedEvidence(context.evidence),
      };
      // The engine identifies the called playbook by its body.
      const runPlaybook: Watched['runPlaybook'] = (other) => {
        const body = other.run && this.#watchedRuns.get(other.run);
        return context.runPlaybook({ ...other, ...(body && { run: body }) });
      };
      return playbook.run({ ...context, ...watched, runPlaybook } as never);
    };
    this.#watchedRuns.set(playbook.run, run);
    return { ...playbook, run };
  }

  #watchSteps({ uses }: ListedPlaybook, steps: Steps): Steps {
    const watched = Object.entries(steps).map(([name, step]) => {
      const effect = uses[name]?.effect;
      const call: Step = (...args) => {
        if (effect === 'destructive') this.#heedWhatIsWaitedFor();
        return this.#watchCall(step(...args), { target: targetText(args[0]), onlyLooks: effect === 'read' });
      };
      return [name, Object.assign(call, step)] as const;
    });
    return Object.fromEntries(watched);
  }

  #watchCall(result: Promise<StepResult>, of: Pick<Call, 'target' | 'onlyLooks'>): Promise<StepResult> {
    const call: Call = { ...of, isHeeded: false, isHeededWithOthers: false, isSeen: false };
    this.#calls.push(call);
    result.then(
      (given) => this.#give(call, given),
      () => undefined,
    );
    this.#byPromise.set(result, call);
    // `await` reads the `constructor` of a promise, and `then` of everything else.
    for (const [name, value] of [['constructor', Promise] as const, ['then', Promise.prototype.then] as const])
      Object.defineProperty(result, name, {
        get: () => {
          if (!this.#isSettling) call.isHeeded = true;
          return value;
        },
      });
    return result;
  }

  /** A caller that settles all of them learns of no failure until it looks at the result. */
  #settle(settle: Watched['settle'], waiting: Waiting): ReturnType<Watched['settle']> {
    this.#isSettling = true;
    const settled = settle(waiting);
    this.#isSettling = false;
    void settled.then((parts) => {
      for (const [name, part] of Object.entries(parts)) {
        const of = waiting[name];
        const call = of && this.#byPromise.get(of);
        if (!call) continue;
        const get = (): Settled<unknown> => {
          call.isHeeded = true;
          return part;
        };
        Object.defineProperty(parts, name, { get, enumerable: true });
      }
    });
    return settled;
  }

  #heed(whom: (call: Call) => boolean): void {
    for (const call of this.#calls) if (whom(call)) call.isHeeded = true;
  }

  /** Destructive steps wait for evidence: a piece matters unless enough others of the same object are kept, however many may fail. */
  #heedWhatIsWaitedFor(): void {
    const kept = new Map<string, number>();
    for (const { target, given } of this.#calls) if (given?.hasEvidence) kept.set(target, (kept.get(target) ?? 0) + 1);
    for (const call of this.#calls) {
      const others = (kept.get(call.target) ?? 0) - 1;
      if (!call.onlyLooks || call.given?.hasEvidence === false || others >= this.#mostFailures) continue;
      if (call.given === undefined || others <= 0) call.isHeeded = true;
      else call.isHeededWithOthers = true;
    }
  }

  #give(call: Call, result: StepResult): void {
    const { output, key } = result;
    this.#byKey.set(key, call);
    call.given = { hasEvidence: typeof output === 'object' && output !== null && 'evidence' in output };
    Object.defineProperty(result, 'output', {
      get: () => {
        call.isSeen = true;
        return output;
      },
    });
  }
}
