import { alertAbout } from './alerts.ts';

/** In a row of this many alerts of a workload, all but the last repeat one rule, which incidents only count; the last is worse. */
const row = 5;
/** One request in this many repeats the previous one of the same workload, byte by byte: a sender that got no answer in time. */
const againEvery = 53;

interface Sent {
  /** The first request with these bytes. */
  readonly first: number;
  readonly workload: number;
  readonly number: number;
  readonly time: string;
}

/** Low and high alerts about many workloads in turn. Each carries its place in its workload's sequence, as the number in its rule. */
export class NumberedLoad {
  readonly #namespace: string;
  readonly #workloads: number;
  readonly #sent: Sent[] = [];
  readonly #accepted = new Set<number>();
  readonly #statuses = new Map<number, number>();
  #answeredTwice = 0;

  constructor({ namespace, workloads }: { readonly namespace: string; readonly workloads: number }) {
    this.#namespace = namespace;
    this.#workloads = workloads;
  }

  /** Built when the load begins; `perSecond` determines when each is due, which is also its timestamp. */
  part({ perSecond }: { readonly perSecond: number }): {
    readonly body: (index: number) => string;
    readonly heard: (index: number, status: number) => void;
  } {
    const [from, began] = [this.#sent.length, Date.now()];
    return {
      body: (index) => this.#body(from + index, began + (index / perSecond) * 1_000),
      heard: (index, status) => this.#heard(from + index, status),
    };
  }

  /** Number of accepted alerts per rule and pod, by `NAMESPACE/POD RULE`. */
  accepted(): ReadonlyMap<string, number> {
    const accepted = new Map<string, number>();
    for (const first of this.#accepted) {
      const sent = this.#sent[first];
      if (!sent) continue;
      const key = `${this.#namespace}/${this.#podOf(sent.workload)} ${ruleOf(sent.number)}`;
      accepted.set(key, (accepted.get(key) ?? 0) + 1);
    }
    return accepted;
  }

  /** Accepted alerts, each counted once. */
  get count(): number {
    return this.#accepted.size;
  }

  /** Requests that were answered 200 although an earlier one with the same bytes had been, too. */
  get answeredTwice(): number {
    return this.#answeredTwice;
  }

  /** Number of answers with this status, or with any but 200. */
  answers(status?: number): number {
    if (status !== undefined) return this.#statuses.get(status) ?? 0;
    return [...this.#statuses].reduce((sum, [other, count]) => sum + (other === 200 ? 0 : count), 0);
  }

  #body(index: number, dueAt: number): string {
    const before = index % againEvery === againEvery - 1 ? this.#sent[index - this.#workloads] : undefined;
    const [workload, number] = [index % this.#workloads, Math.floor(index / this.#workloads)];
    const sent = before ?? { first: index, workload, number, time: `${new Date(dueAt).toISOString().slice(0, -1)}000000Z` };
    this.#sent[index] = sent;
    const pod = { namespace: this.#namespace, name: this.#podOf(sent.workload) };
    return alertAbout(pod, {
      rule: ruleOf(sent.number),
      priority: isLastOfRow(sent.number) ? 'Error' : 'Notice',
      time: sent.time,
    });
  }

  #heard(index: number, status: number): void {
    this.#statuses.set(status, (this.#statuses.get(status) ?? 0) + 1);
    const first = this.#sent[index]?.first ?? index;
    if (status !== 200) return;
    if (this.#accepted.has(first)) this.#answeredTwice += 1;
    this.#accepted.add(first);
  }

  #podOf(workload: number): string {
    return `app${workload}-0`;
  }
}

/** Increases with the place in the sequence; the repetitions of a row share one. */
export function numberIn(rule: string): number {
  return Number(/^Number (\d+)$/.exec(rule)?.[1] ?? Number.NaN);
}

function ruleOf(number: number): string {
  return `Number ${isLastOfRow(number) ? number : number - (number % row)}`;
}

function isLastOfRow(number: number): boolean {
  return number % row === row - 1;
}
