import { wallClockOf } from '../../../core/people/local-time.ts';
import type { Delegation, Roster } from '../../../core/people/roster.ts';
import type { Schedule } from '../../../core/people/schedule.ts';
import type { FileConfig } from '../schema.ts';
import type { DelegationsSection, ScheduleSection } from '../sections/schedule-section.ts';
import { instantWritten } from '../written-time.ts';

/** Who is on call when, with every time as an instant. The input has already been checked: see `scheduleProblems`. */
export function completeOnCall(options: {
  readonly schedules: Readonly<Record<string, ScheduleSection>>;
  readonly delegations: DelegationsSection;
  readonly timeZoneOf: (person: string) => string | undefined;
}): Pick<Roster, 'schedules' | 'delegations'> {
  const { schedules, delegations, timeZoneOf } = options;
  const complete = Object.entries(schedules).map(([group, section]) => [group, scheduleOf(section)] as const);
  const handed = delegations.map(({ person, to, ...written }): Delegation => {
    return { person, to, ...spanOf(written, timeZoneOf(person) ?? 'UTC') };
  });
  return {
    ...(complete.length > 0 && { schedules: Object.fromEntries(complete) }),
    ...(handed.length > 0 && { delegations: handed }),
  };
}

/** Groups that an outside schedule narrows, but for which it could never find anyone. */
export function onCallProblems({ paging, roster: { people, groups } }: Pick<FileConfig, 'paging' | 'roster'>) {
  return Object.keys(paging.pagerduty?.onCall?.schedules ?? {}).flatMap((group) => {
    const at = ['paging', 'pagerduty', 'onCall', 'schedules', group];
    const members = Object.hasOwn(groups, group) ? (groups[group] ?? []) : undefined;
    if (!members) return [{ at, problem: 'there is no such group', remedy: `Name a group: ${Object.keys(groups).join(', ')}.` }];
    const known = people.some(({ id, pagerduty }) => members.includes(id) && pagerduty !== undefined);
    if (known) return [];
    const problem = `nobody in the group ${group} has a PagerDuty id`;
    return [{ at, problem, remedy: 'Add pagerduty: ID to the people of the group in roster.people.' }];
  });
}

/** Groups that a Slack user group narrows, but for which it could never find anyone. */
export function userGroupProblems({ slack, roster: { people, groups } }: Pick<FileConfig, 'slack' | 'roster'>) {
  return Object.keys(slack?.userGroups ?? {}).flatMap((group) => {
    const at = ['slack', 'userGroups', group];
    const members = Object.hasOwn(groups, group) ? (groups[group] ?? []) : undefined;
    if (!members) return [{ at, problem: 'there is no such group', remedy: `Name a group: ${Object.keys(groups).join(', ')}.` }];
    if (people.some(({ id, slack: accounts }) => members.includes(id) && accounts.length > 0)) return [];
    return [
      { at, problem: `nobody in the group ${group} has a Slack id`, remedy: 'Add slack: [ID] to the people of the group.' },
    ];
  });
}

function spanOf({ from, until }: { readonly from: string; readonly until: string }, timeZone: string) {
  return { from: instantWritten(from, timeZone) ?? 0, until: instantWritten(until, timeZone) ?? 0 };
}

function scheduleOf({ timeZone, rotations, entries, overrides }: ScheduleSection): Schedule {
  return {
    timeZone,
    rotations: rotations.map(({ people, from, days }) => ({ people, start: wallClockOf(from) ?? 0, days })),
    shifts: entries.map(({ person, ...written }) => ({ person, ...spanOf(written, timeZone) })),
    overrides: overrides.map(({ person, replaces, ...written }) => ({
      person,
      ...spanOf(written, timeZone),
      ...(replaces !== undefined && { replaces }),
    })),
  };
}
