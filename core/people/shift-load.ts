import { percentile } from '../audit/percentile.ts';
import { wallClockAt } from './local-time.ts';
import { answerersOf, type Duties, type Person } from './roster.ts';

/** Number of questions that somebody gets. A shift lasts eight hours, counted from the hand-over of their schedule, or otherwise from their midnight. */
export interface ShiftLoad {
  readonly all: number;
  /** Shifts with at least one question. */
  readonly shifts: number;
  /** Median number of questions in these shifts. */
  readonly usualShift: number;
  readonly worstShift: number;
}

/** The part of the roster that says who is asked when. */
export interface AskedRoster extends Duties {
  readonly people: readonly Pick<Person, 'id' | 'timeZone'>[];
}

const shiftMs = 8 * 3_600_000;

/** How a wall clock counts shifts. */
interface ShiftClock {
  readonly timeZone: string;
  /** Wall-clock time at which one of the shifts began. */
  readonly start: number;
}

const midnight: ShiftClock = { timeZone: 'UTC', start: 0 };

/** Counts questions by the group that is asked first and, with a roster, by its members who are on call then. */
export class ShiftLoads {
  readonly #roster: AskedRoster | undefined;
  readonly #clocks: ReadonlyMap<string, ShiftClock>;
  readonly #groups = new Map<string, Map<number, number>>();
  readonly #people = new Map<string, Map<number, number>>();
  #nobody = 0;

  constructor(roster?: AskedRoster) {
    this.#roster = roster;
    this.#clocks = new Map(roster?.people.map((person) => [person.id, clockOf(roster, person)]));
  }

  /** @param groups that would be asked, in order: if nobody of one is on call, the next one is asked */
  ask(groups: readonly string[], at: number): void {
    const roster = this.#roster;
    const first = groups[0] ?? 'nobody';
    count(this.#groups, first, shiftAt(midnight, at));
    if (!roster) return;
    const people = groups.map((group) => answerersOf(roster, group, at)).find((answerers) => answerers.length > 0);
    if (!people) this.#nobody += 1;
    for (const { person } of people ?? []) count(this.#people, person, shiftAt(this.#clocks.get(person) ?? midnight, at));
  }

  get groups(): Readonly<Record<string, ShiftLoad>> {
    return loadsOf(this.#groups);
  }

  /** Sorted by the most questions in one shift, highest first; undefined without a roster. */
  get people(): Readonly<Record<string, ShiftLoad>> | undefined {
    return this.#roster && loadsOf(this.#people);
  }

  /** Questions for which, by the roster, nobody of any level is on call. */
  get nobody(): number {
    return this.#nobody;
  }
}

function clockOf(
  { schedules = {} }: AskedRoster,
  { id, timeZone = midnight.timeZone }: AskedRoster['people'][number],
): ShiftClock {
  for (const schedule of Object.values(schedules)) {
    const turn = schedule.rotations.find(({ people }) => people.includes(id));
    const entry = schedule.shifts.find(({ person }) => person === id);
    const start = turn?.start ?? (entry && wallClockAt(entry.from, schedule.timeZone));
    if (start !== undefined) return { timeZone: schedule.timeZone, start };
  }
  return { timeZone, start: 0 };
}

function shiftAt({ timeZone, start }: ShiftClock, at: number): number {
  return Math.floor((wallClockAt(at, timeZone) - start) / shiftMs);
}

function count(counts: Map<string, Map<number, number>>, name: string, shift: number): void {
  const shifts = counts.get(name) ?? new Map<number, number>();
  counts.set(name, shifts);
  shifts.set(shift, (shifts.get(shift) ?? 0) + 1);
}

function loadsOf(counts: ReadonlyMap<string, ReadonlyMap<number, number>>): Readonly<Record<string, ShiftLoad>> {
  const loads = [...counts].map(([name, shifts]) => [name, loadOf([...shifts.values()].sort((a, b) => a - b))] as const);
  return Object.fromEntries(loads.sort(([, one], [, other]) => other.worstShift - one.worstShift || other.all - one.all));
}

function loadOf(sorted: readonly number[]): ShiftLoad {
  return {
    all: sorted.reduce((sum, one) => sum + one, 0),
    shifts: sorted.length,
    usualShift: percentile(sorted, 0.5),
    worstShift: sorted.at(-1) ?? 0,
  };
}
