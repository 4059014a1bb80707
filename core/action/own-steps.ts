import type { Alert } from '../alert/alert.ts';

/** A step of Firebreak: an alert that it causes belongs to it. */
export interface OwnStep {
  readonly key: string;
  readonly action: string;
  readonly incident: string;
}

export interface UnderwayStep extends OwnStep {
  /** What it touches, as `kind/namespace/name`. */
  readonly targets: readonly string[];
}

/** A step as one of its requests identifies it, whichever process made it. */
export interface StampedStep extends OwnStep {
  /** The account under which the API server knows that process. */
  readonly account: string;
  /** Milliseconds since 1970. */
  readonly at: number;
}

/** Maximum clock difference between the API server and the process that stamped, in milliseconds. */
export const stampToleranceMs = 30_000;

/** Start of a User-Agent with a stamp. */
export const stampPrefix = 'firebreak step/';

const verbs: Readonly<Record<string, string>> = {
  GET: 'read',
  get: 'read',
  list: 'read',
  watch: 'read',
  POST: 'create',
  PUT: 'update',
  PATCH: 'patch',
  DELETE: 'delete',
  deletecollection: 'delete',
};

/** Text for one request, the same whether built from its method or from the audit's verb. @param path without the query */
export function requestText({ method, path }: { readonly method: string; readonly path: string }): string {
  return `${verbs[method] ?? method} ${path}`;
}

/** A step that is underway, or was a moment ago. Times in milliseconds since 1970. */
interface OpenStep extends UnderwayStep {
  readonly from: number;
  readonly to?: number;
}

/** Maximum clock difference between the API server and this machine; an event is stamped when its request came in. */
const toleranceMs = 2_000;
/** The API server sends its audit events in batches, and may send them again. */
const rememberedMs = 15 * 60_000;
const mostSteps = 5_000;

/** The steps that this process itself runs. */
export class OpenSteps {
  readonly #steps = new Map<number, OpenStep>();
  readonly #now: () => number;
  #account: string | undefined;
  #last = 0;

  constructor(now: () => number = Date.now) {
    this.#now = now;
  }

  /** Sets the name under which the API server has authenticated us. Until it is known, nothing is ours. */
  knownAs(account: string): void {
    this.#account = account;
  }

  /** Returns a function that ends it. */
  begin(step: UnderwayStep): () => void {
    this.#last += 1;
    const place = this.#last;
    const open: OpenStep = { ...step, from: this.#now() };
    this.#steps.set(place, open);
    this.#forget();
    return () => {
      this.#steps.set(place, { ...open, to: this.#now() });
    };
  }

  /**
   * The step that caused this alert, by the account that the API server itself reports, and an open step on that object at that time. A name, an image or a
   * label is never enough, and anything that acts as another account is not us.
   */
  causing(alert: Alert): OpenStep | undefined {
    const { apiRequest } = alert;
    if (alert.sensor !== 'kubernetes-audit' || !apiRequest || this.#account === undefined) return undefined;
    if (apiRequest.account !== this.#account || apiRequest.impersonates !== undefined) return undefined;
    const { resource, namespace, name } = apiRequest;
    if (resource === undefined || name === undefined) return undefined;
    const at = Date.parse(alert.time);
    return [...this.#steps.values()].find(
      ({ from, to, targets }) =>
        at >= from - toleranceMs &&
        at <= (to ?? this.#now()) + toleranceMs &&
        targets.some((target) => isSame(target, { resource, namespace: namespace ?? '', name })),
    );
  }

  #forget(): void {
    const old = this.#now() - rememberedMs;
    for (const [place, { to }] of this.#steps) {
      if ((to !== undefined && to < old) || this.#steps.size > mostSteps) this.#steps.delete(place);
      else return;
    }
  }
}

function isSame(
  target: string,
  object: { readonly resource: string; readonly namespace: string; readonly name: string },
): boolean {
  const [kind = '', namespace, name] = target.split('/');
  return plural(kind.toLowerCase()) === object.resource && namespace === object.namespace && name === object.name;
}

function plural(kind: string): string {
  return kind.endsWith('y') ? `${kind.slice(0, -1)}ies` : `${kind}s`;
}
