import type { Command } from 'commander';
import { FirebreakError } from '../../core/errors.ts';
import { localText } from '../../core/people/local-time.ts';
import { type Answerer, answerersOf, type Roster } from '../../core/people/roster.ts';
import { configToUse } from '../config/left-out.ts';
import { instantWritten } from '../config/written-time.ts';
import { type ConfiguredOptions, withConfig, withExamples } from './options.ts';
import { print, printJson, printTable, styled } from './output.ts';

interface ShowOptions extends ConfiguredOptions {
  readonly at?: string;
}

/** Adds `firebreak roster show`. */
export function registerRosterCommand(program: Command): void {
  const roster = program.command('roster').description('who may decide, and who is on call');
  const show = roster
    .command('show')
    .description('show who may answer for each group, and why, according to the rules that check votes')
    .option('--at <time>', 'at another time: YYYY-MM-DDTHH:MM in UTC, or with an offset; default: now');
  withExamples(withConfig(show), [
    'firebreak roster show',
    'firebreak roster show --at 2026-12-24T20:00',
    'firebreak roster show --at 2026-12-24T20:00+01:00 --json',
  ]).action(showRoster);
}

interface Line {
  readonly group: string;
  readonly answerer: Answerer | undefined;
}

function showRoster(options: ShowOptions): void {
  const at = options.at === undefined ? Date.now() : instantWritten(options.at, 'UTC');
  if (at === undefined)
    throw new FirebreakError('FB_ERR_INCOMPLETE', '--at is not a time: use YYYY-MM-DDTHH:MM, in UTC or with an offset');
  const { roster } = configToUse(options.config);
  const groups = Object.keys(roster.groups);
  const lines = groups.flatMap((group): readonly Line[] => {
    const found = answerersOf(roster, group, at);
    return found.length === 0 ? [{ group, answerer: undefined }] : found.map((answerer) => ({ group, answerer }));
  });
  if (options.json) {
    const onCall = groups.map((group) => ({ group, onCall: answerersOf(roster, group, at).map(inIso) }));
    printJson({ at: new Date(at).toISOString(), groups: onCall });
    return;
  }
  print(styled('dim', `at ${new Date(at).toISOString()}`));
  printTable(lines, [
    { title: 'GROUP', text: ({ group }) => group },
    { title: 'PERSON', text: ({ answerer }) => answerer?.person ?? 'nobody' },
    { title: 'NAME', text: ({ answerer }) => roster.people.find(({ id }) => id === answerer?.person)?.name ?? '' },
    { title: 'LOCAL TIME', text: (line) => localTimeOf(roster, line.answerer, at) },
    { title: 'WHY', text: (line) => whyText(roster, line) },
  ]);
}

function inIso({ until, standsInFor, ...rest }: Answerer) {
  return {
    ...rest,
    ...(until !== undefined && { until: new Date(until).toISOString() }),
    ...(standsInFor && { standsInFor: { ...standsInFor, until: new Date(standsInFor.until).toISOString() } }),
  };
}

/** The person's local time: useful to know if it is three in the morning. */
function localTimeOf({ people }: Roster, answerer: Answerer | undefined, at: number): string {
  const timeZone = people.find(({ id }) => id === answerer?.person)?.timeZone;
  return timeZone === undefined ? '' : localText(at, timeZone).slice(11);
}

const reasons: Readonly<Record<Answerer['by'], string>> = {
  member: 'member of the group, which has no schedule',
  turn: 'turn',
  entry: 'dated entry',
  override: 'override',
};

function whyText({ schedules }: Roster, { group, answerer }: Line): string {
  if (!answerer) return 'the schedule has a gap, or the person who may answer is away: the next level is asked';
  const { by, until, replaces, standsInFor } = answerer;
  const timeZone = schedules?.[group]?.timeZone ?? 'UTC';
  const time = (instant: number): string => `${localText(instant, timeZone)} ${timeZone}`;
  const place = replaces === undefined ? '' : ` in place of ${replaces}`;
  const own = `${reasons[by]}${place}${until === undefined ? '' : ` until ${time(until)}`}`;
  return standsInFor
    ? `stands in for ${standsInFor.person} until ${time(standsInFor.until)} (${standsInFor.person}: ${own})`
    : own;
}
