import { instantOf, wallClockAt } from './local-time.ts';

/** From one instant until another, exclusive: milliseconds since 1970. */
export interface Span {
  readonly from: number;
  readonly until: number;
}

/** People take turns of some days each, always handing over at the same wall-clock time. */
export interface Rotation {
  /** Ids of people, in the order of their turns. */
  readonly people: readonly string[];
  /** When the first turn began, in wall-clock time of the schedule's time zone (see `wallClockAt`). */
  readonly start: number;
  /** Length of a turn. */
  readonly days: number;
}

export interface Shift extends Span {
  readonly person: string;
}

/** Replaces one person or, if none is named, everybody. */
interface Override extends Shift {
  readonly replaces?: string;
}

/** Who of a group is on call when. For a group that has one, nobody else may answer. */
export interface Schedule {
  readonly timeZone: string;
  readonly rotations: readonly Rotation[];
  /** Dated entries, in addition to the rotations. */
  readonly shifts: readonly Shift[];
  readonly overrides: readonly Override[];
}

/** Somebody who is on call, and why. */
export interface OnCall {
  readonly person: string;
  readonly by: 'turn' | 'entry' | 'override';
  readonly until: number;
  /** The person replaced by an override. */
  readonly replaces?: string;
}

export function isWithin({ from, until }: Span, at: number): boolean {
  return from <= at && at < until;
}

const dayMs = 86_400_000;

/** Whose turn it is, and its bounds; undefined before the first. */
export function turnAt(rotation: Rotation, timeZone: string, at: number): Shift | undefined {
  const { people, start, days } = rotation;
  const beginOf = (turn: number): number => instantOf(start + turn * days * dayMs, timeZone);
  // By the wall clock, so that a week with a daylight-saving change is still a week. If the clock goes back across the hand-over, the result is approximate.
  let turn = Math.floor((wallClockAt(at, timeZone) - start) / (days * dayMs));
  while (beginOf(turn) > at) turn -= 1;
  while (beginOf(turn + 1) <= at) turn += 1;
  const person = people[turn % people.length];
  return turn < 0 || person === undefined ? undefined : { person, from: beginOf(turn), until: beginOf(turn + 1) };
}

/** Everybody on call at that time. Empty if the schedule has a gap: the next level is asked then. */
export function onCallAt(schedule: Schedule, at: number): readonly OnCall[] {
  const { timeZone, rotations, shifts, overrides } = schedule;
  const regular: readonly OnCall[] = [
    ...rotations
      .flatMap((rotation) => turnAt(rotation, timeZone, at) ?? [])
      .map(({ person, until }) => ({ person, by: 'turn', until }) as const),
    ...shifts.filter((shift) => isWithin(shift, at)).map(({ person, until }) => ({ person, by: 'entry', until }) as const),
  ];
  const current = overrides
    .filter((override) => isWithin(override, at))
    .map(({ person, until, replaces }) => ({ person, by: 'override', until, ...(replaces && { replaces }) }) as const);
  const ofEverybody = current.filter(({ replaces }) => replaces === undefined);
  if (ofEverybody.length > 0) return once(ofEverybody);
  return once(
    regular.flatMap((one): readonly OnCall[] => {
      const inPlace = current.filter(({ replaces }) => replaces === one.person);
      return inPlace.length === 0 ? [one] : inPlace;
    }),
  );
}

function once(list: readonly OnCall[]): readonly OnCall[] {
  return list.filter((one, index) => list.findIndex(({ person }) => person === one.person) === index);
}
