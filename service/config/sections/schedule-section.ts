import { z } from 'zod';
import { isTimeZone } from '../../../core/people/local-time.ts';
import { id } from '../fields.ts';
import { instantWritten } from '../written-time.ts';

export const timeZone = z.string().refine(isTimeZone, {
  error: 'not an IANA time zone',
  params: {
    remedy: 'Write its name, for example Europe/Berlin or UTC; an offset such as +02:00 does not follow daylight saving time.',
  },
});

const timeProblem = {
  error: 'not a valid date and time',
  params: { remedy: 'Write YYYY-MM-DDTHH:MM, by the wall clock of the time zone; or a full time that ends with Z or an offset.' },
};

const time = z.string().refine((text) => instantWritten(text, 'UTC') !== undefined, timeProblem);

const wallTime = z.string().refine((text) => instantWritten(text, 'UTC') !== undefined && !/(Z|[+-]\d{2}:\d{2})$/.test(text), {
  error: 'not a wall-clock time',
  params: { remedy: 'Write YYYY-MM-DDTHH:MM without Z or offset: turns hand over by the wall clock, in summer as in winter.' },
});

const span = {
  from: time.meta({
    description: 'Its beginning: by the wall clock of the time zone, or with Z or an offset.',
    examples: ['2026-12-24T09:00'],
  }),
  until: time.meta({ description: 'Its end, which is no longer part of it.', examples: ['2026-12-27T09:00'] }),
};

const personId = id.meta({ description: 'Id of a person.', examples: ['ada'] });

/** Which member of a group is on call when. */
export const schedule = z.strictObject({
  timeZone: timeZone.meta({ description: 'IANA time zone in which its times are written.', examples: ['Europe/Berlin'] }),
  rotations: z
    .array(
      z.strictObject({
        people: z
          .array(id)
          .min(1)
          .meta({ description: 'Ids of people, in the order of their turns.', examples: [['ada', 'grace']] }),
        from: wallTime.meta({
          description: 'When the first turn begins; every hand-over is at this time of the wall clock.',
          examples: ['2026-01-05T09:00'],
        }),
        days: z.int().min(1).max(366).default(7).meta({ description: 'Length of a turn in days.' }),
      }),
    )
    .default([])
    .meta({ description: 'People who take turns.' }),
  entries: z
    .array(z.strictObject({ person: personId, ...span }))
    .default([])
    .meta({ description: 'Dated shifts, in addition to the rotations.' }),
  overrides: z
    .array(
      z.strictObject({
        person: personId,
        replaces: id.exactOptional().meta({ description: 'Whose place is taken. Absent: everybody’s.' }),
        ...span,
      }),
    )
    .default([])
    .meta({ description: 'Who is on call in place of others.' }),
});

export const delegations = z
  .array(
    z.strictObject({
      person: personId,
      to: id.meta({ description: 'Who has the right instead.', examples: ['grace'] }),
      ...span,
    }),
  )
  .default([])
  .meta({
    description:
      'A person’s right to answer, handed to another for a time. Times without Z or offset are of that person’s time zone.',
    examples: [[{ person: 'ada', to: 'grace', from: '2026-12-24T09:00', until: '2026-12-27T09:00' }]],
  });

export type ScheduleSection = z.output<typeof schedule>;
export type DelegationsSection = z.output<typeof delegations>;

interface RosterProblem {
  readonly path: readonly (string | number)[];
  readonly message: string;
  readonly remedy: string;
}

interface Listed {
  readonly people: readonly { readonly id: string; readonly timeZone?: string }[];
  readonly groups: Readonly<Record<string, readonly string[]>>;
  readonly schedules: Readonly<Record<string, ScheduleSection>>;
  readonly delegations: DelegationsSection;
}

/** Problems with the on-call schedules: names that match nobody, times that never occur. */
export function scheduleProblems(roster: Listed): readonly RosterProblem[] {
  return [
    ...Object.entries(roster.schedules).flatMap(([group, one]) => problemsOfSchedule(roster, group, one)),
    ...delegationProblems(roster),
  ];
}

function problemsOfSchedule({ groups }: Listed, group: string, section: ScheduleSection): readonly RosterProblem[] {
  const path = ['schedules', group];
  const members = Object.hasOwn(groups, group) ? groups[group] : undefined;
  if (!members) {
    const remedy = `Name a group: ${Object.keys(groups).join(', ')}.`;
    return [{ path, message: 'there is no such group', remedy }];
  }
  const { rotations, entries, overrides } = section;
  const named = [
    ...rotations.flatMap(({ people }, index) =>
      people.map((person, place) => ({ person, path: ['rotations', index, 'people', place] })),
    ),
    ...entries.map(({ person }, index) => ({ person, path: ['entries', index, 'person'] })),
    ...overrides.flatMap(({ person, replaces }, index) => [
      { person, path: ['overrides', index, 'person'] },
      ...(replaces === undefined ? [] : [{ person: replaces, path: ['overrides', index, 'replaces'] }]),
    ]),
  ];
  const empty = rotations.length + entries.length + overrides.length === 0;
  return [
    ...(empty
      ? [{ path, message: 'it never puts anybody on call', remedy: 'Add a rotation or entries, or remove the schedule.' }]
      : []),
    ...named
      .filter(({ person }) => !members.includes(person))
      .map(({ person, path: place }) => ({
        path: [...path, ...place],
        message: `${person} is not in the group ${group}, so is never on call in it`,
        remedy: `Add ${person} to roster.groups.${group}, or name one of: ${members.join(', ')}.`,
      })),
    ...[
      ...entries.map((one, index) => ['entries', index, one] as const),
      ...overrides.map((one, index) => ['overrides', index, one] as const),
    ]
      .filter(([, , one]) => isEmpty(one, section.timeZone))
      .map(([kind, index]) => endless([...path, kind, index, 'until'])),
  ];
}

function isEmpty({ from, until }: { readonly from: string; readonly until: string }, zone: string): boolean {
  return (instantWritten(until, zone) ?? 0) <= (instantWritten(from, zone) ?? 0);
}

function endless(path: RosterProblem['path']): RosterProblem {
  return { path, message: 'its end is not after its beginning', remedy: 'Correct from or until.' };
}

function delegationProblems({ people, delegations: list }: Listed): readonly RosterProblem[] {
  const spans = list.map(({ person, from, until }) => {
    const zone = people.find(({ id: known }) => known === person)?.timeZone ?? 'UTC';
    return { from: instantWritten(from, zone) ?? 0, until: instantWritten(until, zone) ?? 0 };
  });
  const atOnce = (a: number, b: number): boolean => {
    const [one, other] = [spans[a], spans[b]];
    return one !== undefined && other !== undefined && one.from < other.until && other.from < one.until;
  };
  return list.flatMap(({ person, to }, index): readonly RosterProblem[] => {
    const path = ['delegations', index];
    const unknown = (['person', 'to'] as const).filter((key) => !people.some(({ id: known }) => known === list[index]?.[key]));
    if (unknown.length > 0)
      return unknown.map((key) => ({
        path: [...path, key],
        message: `${list[index]?.[key]} is not the id of anyone in people`,
        remedy: `Name one of: ${people.map(({ id: known }) => known).join(', ')}.`,
      }));
    if (person === to)
      return [{ path: [...path, 'to'], message: 'a right cannot be handed to oneself', remedy: 'Name another person.' }];
    const span = spans[index];
    if (!span || span.until <= span.from) return [endless([...path, 'until'])];
    const again = list.findIndex((other, place) => place < index && other.person === person && atOnce(place, index));
    if (again !== -1)
      return [
        {
          path: [...path, 'from'],
          message: `${person} has already handed the right over for this time, in delegations[${again}]`,
          remedy: 'A right has one holder at a time: change one of the two so that they do not overlap.',
        },
      ];
    const away = list.findIndex((other, place) => place !== index && other.person === to && atOnce(place, index));
    if (away === -1) return [];
    return [
      {
        path: [...path, 'to'],
        message: `${to} has also handed the right over at that time, in delegations[${away}], and a right cannot be handed on`,
        remedy: `Hand it to somebody who is available, such as ${list[away]?.to}.`,
      },
    ];
  });
}
