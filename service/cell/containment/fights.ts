import type { IncidentNote } from '../../../core/incident/incident.ts';

/** Whoever changes it more often than that means it: people decide, nobody fights. */
const mostTimes = 5;
/** What is taken back so soon after it was put back is the same fight; that lasts for so long at most. */
const longestMs = 10_000;
/** So long as it should be, and it is counted anew. */
const calmMs = 3_600_000;
/** Lines about one pod in an hour: a policy that comes and goes must not fill its incident's history. */
const mostLines = 12;

/** What was done about one pod since it was last calm. */
interface Fight {
  times: number;
  /** When the fight that is on began, and when it was put back last. */
  begunAt: number | undefined;
  lastAt: number;
  isLost: boolean;
  lines: number;
  linesSince: number;
  /** Since when it is as it should be. */
  calmSince: number | undefined;
}

/** The id of a line, and how it ends. */
export interface Line {
  readonly id: string;
  readonly end: string;
}

/** What has changed, and which incident hears it. */
export interface Changed {
  /** The pod's uid, or the object. */
  readonly uid: string;
  readonly about: string;
  readonly incident: string;
}

/** Tells the incident. Without a line of its own, it is one of those that are counted. */
export type Tell = (of: Changed, note: Pick<IncidentNote, 'kind' | 'text'>, line?: Line) => Promise<void>;

/** Of an end there is one, and of restarts there are few: they are told however much was said before. */
export function onlyLine(of: string, what: 'end' | 'restart' = 'end'): Line {
  return { id: `containment/${of}/${Date.now()}-${what}`, end: '' };
}

/** How often what somebody changes was put back, and how much was said of it: nobody fights without end, and nobody is told without end. */
export class Fights {
  readonly #now: () => number;
  readonly #fights = new Map<string, Fight>();

  constructor(now: () => number = Date.now) {
    this.#now = now;
  }

  /** It is as it should be. */
  calm(of: string): void {
    const fight = this.#of(of);
    const now = this.#now();
    fight.calmSince ??= now;
    if (now - fight.calmSince > calmMs) Object.assign(fight, { times: 0, begunAt: undefined, isLost: false });
  }

  /** It is not as it should be. Why it is not put back; undefined where it is, once more. */
  whyNot(of: string): string | undefined {
    const fight = this.#of(of);
    fight.calmSince = undefined;
    const now = this.#now();
    const { times, begunAt, lastAt } = fight;
    if (begunAt !== undefined && now - lastAt > longestMs) fight.begunAt = undefined;
    else if (begunAt !== undefined && now - begunAt > longestMs) fight.isLost = true;
    fight.isLost ||= times >= mostTimes;
    if (!fight.isLost) return undefined;
    return `it was put back ${times} ${times === 1 ? 'time' : 'times'}, and was changed again: somebody must decide`;
  }

  putBack(of: string): void {
    const fight = this.#of(of);
    fight.times += 1;
    fight.lastAt = this.#now();
    fight.begunAt ??= fight.lastAt;
  }

  /**
   * One more line about it; undefined where no more is said for the time being. The last one is kept for what is wrong with it: whoever opens and
   * closes it until all is said must not leave it open, and called whole.
   */
  line(of: string, { isWrong }: { readonly isWrong: boolean }): Line | undefined {
    const fight = this.#of(of);
    const now = this.#now();
    if (now - fight.linesSince > calmMs) Object.assign(fight, { lines: 0, linesSince: now });
    if (fight.lines >= (isWrong ? mostLines : mostLines - 1)) return undefined;
    fight.calmSince = undefined;
    fight.lines += 1;
    const end = fight.lines === mostLines ? '. It changes again and again: for an hour no more is said of it' : '';
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
