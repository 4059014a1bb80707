import type { SignedRecord } from '../audit.ts';

/** What the cell has put on record in an incident whose workflow somebody has reset in Temporal. */
export const resetText = 'A run of this incident was reset in Temporal: it continues from there, and asks its questions again.';

/** A record that stands twice in a chain, with different content, both signed by its maker. */
interface Twice {
  readonly number: number;
  readonly place: number;
}

/**
 * Tells what a reset explains from what it does not. After a reset the incident goes on from an earlier record, and gives its numbers again: both are genuine.
 * Each reset that the cell has recorded in this chain explains one more record of each number.
 */
export class RecordResets {
  readonly #chain: string;
  readonly #times: string[] = [];
  readonly #twice: Twice[] = [];

  constructor(chain: string) {
    this.#chain = chain;
  }

  /** @param signed a record that its maker has signed. */
  see({ record }: SignedRecord): void {
    const { kind, at, body } = record;
    const text: unknown = typeof body === 'object' && body !== null && 'text' in body ? body.text : undefined;
    if (kind === 'incident.restarted' && text === resetText) this.#times.push(at);
  }

  twice(number: number, place: number): void {
    this.#twice.push({ number, place });
  }

  /** The records that no reset explains, and what people should know of the others. */
  finish(): { readonly unexplained: readonly Twice[]; readonly notes: readonly string[] } {
    const more = new Map<number, number>();
    const unexplained = this.#twice.filter(({ number }) => {
      const count = (more.get(number) ?? 0) + 1;
      more.set(number, count);
      return count > this.#times.length;
    });
    const explained = this.#twice.length - unexplained.length;
    if (explained === 0) return { unexplained, notes: [] };
    const records = explained === 1 ? '1 record exists twice, and both are' : `${explained} records exist twice, and all are`;
    const when = [...new Set(this.#times)].join(', ');
    return {
      unexplained,
      notes: [`${this.#chain}: its workflow was reset in Temporal (on record at ${when}); ${records} genuine`],
    };
  }
}
