import type { Match } from './match.ts';
import { compiledMatch, indexedFields, type MatchedAlert, textNeeded } from './match-alert.ts';

/** Maximum number of tree nodes kept. A sender of ever new texts makes the tree start over, not grow. */
const mostPlaces = 2_000;
const longestText = 256;
/** Testing this few matches takes no longer than telling them apart. */
const fewItems = 2;

interface Indexed<Item> {
  readonly item: Item;
  readonly test: ReturnType<typeof compiledMatch>;
  /** In the order of the fields. */
  readonly needed: readonly (ReturnType<typeof textNeeded> | undefined)[];
}

/** The matches still possible for alerts with the same texts so far, and the field by which they are told apart next. */
interface Place<Item> {
  readonly left: readonly Indexed<Item>[];
  /** One past the last field: no other field narrows it further. */
  readonly field: number;
  readonly next: Map<string | undefined, Place<Item>>;
}

/**
 * Indexes matches, or objects that have one, by the alert texts that they need, so that an alert is compared with only a few. Work shared by alerts with the
 * same texts is done once: a tree of the texts seen so far, in which each node holds the matches still possible.
 */
export class MatchIndex<Item> {
  readonly #all: Indexed<Item>[] = [];
  #root: Place<Item> | undefined;
  #places = 0;

  add(item: Item, match: Match): void {
    this.#all.push({ item, test: compiledMatch(match), needed: indexedFields.map((field) => textNeeded(match, field)) });
    this.#root = undefined;
  }

  /** All items that this alert matches, in the order in which they were added. */
  of(alert: MatchedAlert): Item[] {
    const found: Item[] = [];
    for (const { item, test } of this.#left(alert)) if (test(alert) === true) found.push(item);
    return found;
  }

  /** For tests: how many matches are tested for this alert. */
  asked(alert: MatchedAlert): number {
    return this.#left(alert).length;
  }

  /** All items that this alert may match, and few that it does not. */
  #left(alert: MatchedAlert): readonly Indexed<Item>[] {
    if (this.#all.length === 0) return this.#all;
    let place = this.#begin();
    for (let { field } = place; field < indexedFields.length; { field } = place) {
      const text = indexedFields[field]?.read(alert);
      place = place.next.get(text) ?? this.#grow(place, text, alert);
    }
    return place.left;
  }

  /** For tests: how many tree nodes are kept. */
  get size(): number {
    return this.#places;
  }

  #begin(): Place<Item> {
    if (this.#root && this.#places < mostPlaces) return this.#root;
    this.#places = 0;
    this.#root = { left: this.#all, field: 0, next: new Map() };
    return this.#root;
  }

  #grow(from: Place<Item>, text: string | undefined, alert: MatchedAlert): Place<Item> {
    const { field } = from;
    const part = partOf(alert, field);
    const left = from.left.filter(({ test, needed }) => {
      const needs = needed[field];
      // A match that needs an unknown field of an alert does not hold.
      if (needs && (text === undefined || !needs(text))) return false;
      return part === undefined || test(part) !== false;
    });
    const tells = (at: number): boolean => indexedFields[at]?.part !== undefined || left.some(({ needed }) => needed[at]);
    const later = left.length > fewItems ? indexedFields.findIndex((_, at) => at > field && tells(at)) : -1;
    const place: Place<Item> = {
      left,
      field: later < 0 ? indexedFields.length : later,
      next: new Map(),
    };
    if ((text?.length ?? 0) <= longestText) {
      from.next.set(text, place);
      this.#places += 1;
    }
    return place;
  }
}

/** What is known about all alerts at a node behind this field, if that is more than at the node before. */
function partOf(alert: MatchedAlert, field: number): MatchedAlert | undefined {
  if (indexedFields[field]?.part === undefined) return undefined;
  const parts = indexedFields.slice(0, field + 1).flatMap(({ part }) => (part === undefined ? [] : [part]));
  return Object.fromEntries(parts.map((part) => [part, alert[part]]));
}
