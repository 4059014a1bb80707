import { isIPv6 } from 'node:net';
import { mostOf, type UnauthorizedRequests } from '../../../core/alert/intake-report.ts';

/** Anyone who reaches the intake can cause entries: beyond this number they are counted together. */
const mostKept = 50;
/** Requests of so long ago are of no use to whoever looks for a sensor with an old token. */
const forgetAfterMs = 24 * 3_600_000;

interface Entry {
  count: number;
  readonly since: number;
  lastAt: number;
  reason: string;
}

/**
 * Requests that the intake refused because nobody that it knows sent them, by the network address they came from and the sensor whose address they used: a
 * sensor with an old token sends and is not heard. It says nothing about what was sent, and decides nothing.
 */
export class UnauthorizedCounts {
  readonly #entries = new Map<string, Entry & { readonly from: string; readonly sensor: string | undefined }>();
  readonly #heard: (request: UnauthorizedRequests) => void;
  readonly #now: () => number;

  /** @param options.heard receives the first request of each entry */
  constructor(options: { readonly heard?: (request: UnauthorizedRequests) => void; readonly now?: () => number } = {}) {
    this.#heard = options.heard ?? (() => {});
    this.#now = options.now ?? Date.now;
  }

  /** @param reason in our own words */
  count(request: { readonly address: string | undefined; readonly sensor: string | undefined; readonly reason: string }): void {
    const now = this.#now();
    const from = networkOf(request.address);
    const known = this.#entries.get(keyOf(from, request.sensor));
    if (known === undefined && this.#entries.size >= mostKept) this.#forget(now);
    const isFull = known === undefined && this.#entries.size >= mostKept;
    const key = isFull ? keyOf(elsewhere, undefined) : keyOf(from, request.sensor);
    const entry = this.#entries.get(key);
    if (entry) {
      entry.count += 1;
      entry.lastAt = now;
      entry.reason = request.reason;
      return;
    }
    const first = { count: 1, since: now, lastAt: now, reason: request.reason };
    const begun = isFull ? { ...first, from: elsewhere, sensor: undefined } : { ...first, from, sensor: request.sensor };
    this.#entries.set(key, begun);
    this.#heard(shown(begun));
  }

  /** Those of the last day, most recent first. */
  report(): readonly UnauthorizedRequests[] {
    this.#forget(this.#now());
    return [...this.#entries.values()].sort((a, b) => b.lastAt - a.lastAt).map(shown);
  }

  /** The same, for a report of a bounded size. */
  latest(): readonly UnauthorizedRequests[] {
    return this.report().slice(0, mostOf.unauthorized);
  }

  #forget(now: number): void {
    for (const [key, { lastAt }] of this.#entries) if (now - lastAt > forgetAfterMs) this.#entries.delete(key);
  }
}

const elsewhere = 'other addresses';

function keyOf(from: string, sensor: string | undefined): string {
  return `${from} ${sensor ?? ''}`;
}

/** Of IPv6 the /64: whoever has one address there has all of them. */
function networkOf(address: string | undefined): string {
  if (address === undefined) return 'an unknown address';
  const plain = address.replace(/^::ffff:(?=\d+\.)/, '');
  if (!isIPv6(plain)) return plain;
  const [head = '', tail] = plain.split('%', 1)[0]?.split('::') ?? [];
  const left = head === '' ? [] : head.split(':');
  const right = tail === undefined || tail === '' ? [] : tail.split(':');
  const groups = [...left, ...Array.from({ length: 8 - left.length - right.length }, () => '0'), ...right];
  return `${groups.slice(0, 4).join(':')}::/64`;
}

function shown({
  from,
  sensor,
  count,
  since,
  lastAt,
  reason,
}: Entry & { readonly from: string; readonly sensor: string | undefined }): UnauthorizedRequests {
  return {
    from,
    ...(sensor !== undefined && { sensor }),
    count,
    since: new Date(since).toISOString(),
    lastAt: new Date(lastAt).toISOString(),
    reason,
  };
}
