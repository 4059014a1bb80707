import type { IncidentNote } from '../../../core/incident/incident.ts';

/** More frequent changes than this are deliberate: people decide, and the cell stops fighting. */
const mostTimes = 5;
/** A change this soon after a restore belongs to the same fight, which lasts this long at most. */
const longestMs = 10_000;
/** After this long in order, counting starts again. */
const calmMs = 3_600_000;
/** Maximum lines about one pod per hour: a policy that keeps changing must not fill its incident's history. */
const mostLines = 12;

/** What was done about one pod since it was last calm. */
interface Fight {
  times: number;
  /** When the current fight began, and when the state was last restored. */
  begunAt: number | undefined;
  lastAt: number;
  isLost: boolean;
  lines: number;
  linesSince: number;
  /** Since when it is in order. */
  calmSince: number | undefined;
}

/** The id of a line, and its ending. */
export interface Line {
  readonly id: string;
  readonly end: string;
}

/** What has changed, and which incident is told. */
export interface Changed {
  /** The pod's uid, or the object. */
  readonly uid: string;
  readonly about: string;
  readonly incident: string;
}

/** Tells the incident. Without its own `line`, it counts towards the limit. */
export type Tell = (of: Changed, note: Pick<IncidentNote, 'kind' | 'text'>, line?: Line) => Promise<void>;

/** There is one end and there are few restarts: these are reported no matter how much was said before. */
export function onlyLine(of: string, what: 'end' | 'restart' = 'end'): Line {
  return { id: `containment/${of}/${Date.now()}-${what}`, end: '' };
}

/** Counts how often somebody's changes were reverted, and how much was reported about it: neither fights nor reports go on without end. */
export class Fights {
  readonly #now: () => number;
  readonly #fights = new Map<string, Fight>();

  constructor(now: () => number = Date.now) {
    this.#now = now;
  }

  /** Records that it is in order. */
  calm(of: string): void {
    const fight = this.#of(of);
    const now = this.#now();
    fight.calmSince ??= now;
    if (now - fight.calmSince > calmMs) Object.assign(fight, { times: 0, begunAt: undefined, isLost: false });
  }

  /** Records that it is not in order. Returns why it is not restored; undefined if it is to be restored once more. */
  whyNot(of: string): string | undefined {
    const fight = this.#of(of);
    fight.calmSince = undefined;
    const now = this.#now();
    const { times, begunAt, lastAt } = fight;
    if (begunAt !== undefined && now - lastAt > longestMs) fight.begunAt = undefined;
    else if (begunAt !== undefined && now - begunAt > longestMs) fight.isLost = true;
    fight.isLost ||= times >= mostTimes;
    if (!fight.isLost) return undefined;
    return `it was restored ${times} ${times === 1 ? 'time' : 'times'} and was changed again: somebody must decide`;
  }

  putBack(of: string): void {
    const fight = this.#of(of);
    fight.times += 1;
    fight.lastAt = this.#now();
    fight.begunAt ??= fight.lastAt;
  }

  /**
   * Returns one more line about it; undefined if no more is reported for the time being. The last line is reserved for problems: otherwise somebody could open
   * and close it until the limit is reached, and leave it open while it is reported as intact.
   */
  line(of: string, { isWrong }: { readonly isWrong: boolean }): Line | undefined {
    const fight = this.#of(of);
    const now = this.#now();
    if (now - fight.linesSince > calmMs) Object.assign(fight, { lines: 0, linesSince: now });
    if (fight.lines >= (isWrong ? mostLines : mostLines - 1)) return undefined;
    fight.calmSince = undefined;
    fight.lines += 1;
    const end = fight.lines === mostLines ? '. It keeps changing: it is not reported again for an hour' : '';
    return { id: `containment/${of}/${now}-${fight.lines}`, end };
  }

  forget(of: string): void {
    this.#fights.delete(of);
  }

  #of(of: string): Fight {
    const known = this.#fights.get(of);
    if (known) return known;
    const now = this.#now();
    const fight: Fight = {
      times: 0,
      begunAt: undefined,
      lastAt: now,
      isLost: false,
      lines: 0,
      linesSince: now,
      calmSince: undefined,
    };
    this.#fights.set(of, fight);
    return fight;
  }
}
