import { weekdays } from '../action/change-window.ts';
import { tacticId } from '../alert/mitre.ts';
import { severities } from '../alert/severity.ts';
import { actKinds } from '../assessment/rules/act-kinds.ts';
import { isTimeZone } from '../people/local-time.ts';
import { globPattern, linearPattern } from '../text/linear-pattern.ts';
import { isObject } from '../text/plain-json.ts';
import { durationMs, isDuration } from './duration.ts';
import { alertPlaces, type Match } from './match.ts';

const textFields = ['rule', 'sensor', 'priority', 'tag', 'node', 'namespace'] as const;
const groups = {
  workload: ['kind', 'name'],
  image: ['registry', 'repository', 'tag', 'digest'],
  process: ['name', 'path', 'arguments', 'parent', 'user'],
} as const;
const otherFields = [
  'severity',
  'place',
  'act',
  'technique',
  'tactic',
  'labels',
  'privileged',
  'exposure',
  'novel',
  'count',
  'absent',
  'window',
  'any',
  'all',
  'not',
] as const;
const known: ReadonlySet<string> = new Set([...textFields, ...Object.keys(groups), ...otherFields]);
const deepest = 10;
const exposures = ['none', 'service', 'external', 'ingress'] as const;
const pers = ['pod', 'workload', 'node', 'cluster', 'account'] as const;
const mostTimes = 100;
const longestCountMs = 7 * 86_400_000;
const longestAbsenceMs = 86_400_000;

/**
 * What is wrong with a match, one sentence each, with its location. Authors of JavaScript playbooks have no compiler to tell them, and no compiler checks
 * patterns.
 */
export function problemsOfMatch(match: unknown, place = 'on.match', depth = 0): readonly string[] {
  if (!isObject(match)) return [`${place} has to be an object such as { rule: '…' }, or 'unanswered'`];
  if (depth > deepest) return [`${place} is nested more than ${deepest} deep`];
  const fields = Object.keys(match).filter((field) => match[field] !== undefined);
  if (fields.length === 0) return [`${place} is empty and would match every alert: name a rule, a severity, a namespace …`];
  const timed = fields.filter((field) => field === 'count' || field === 'absent');
  if (timed.length === 2) return [`${place} both counts and waits: put one of the two into its own match, in all`];
  if (timed.length === fields.length)
    return [`${place} contains only ${timed.join()}: name the alerts that are counted or waited after`];
  return fields.flatMap((field) => fieldProblems(field, match[field], `${place}.${field}`, depth));
}

function fieldProblems(field: string, value: unknown, place: string, depth: number): readonly string[] {
  if (!known.has(field)) return [`${place} is unknown: use one of ${[...known].join(', ')}`];
  if (field === 'not') return [...timedProblems(value, place), ...problemsOfMatch(value, place, depth + 1)];
  if (field === 'count') return countProblems(value, place);
  if (field === 'absent') return absentProblems(value, place, depth);
  if (field === 'novel') return value === true || value === 'among-peers' ? [] : [`${place} has to be true or 'among-peers'`];
  if (field === 'privileged') return typeof value === 'boolean' ? [] : [`${place} has to be true or false`];
  if (field === 'exposure')
    return oneOf(value, place, (one) => exposures.some((exposure) => exposure === one), exposures.join(', '));
  if (field === 'any' || field === 'all') {
    if (!Array.isArray(value) || value.length === 0) return [`${place} has to be a list of at least one match`];
    return value.flatMap((one, at) => problemsOfMatch(one, `${place}[${at}]`, depth + 1));
  }
  if (field === 'severity')
    return oneOf(value, place, (one) => severities.some((severity) => severity === one), severities.join(', '));
  if (field === 'place') return oneOf(value, place, (one) => alertPlaces.some((known) => known === one), alertPlaces.join(', '));
  if (field === 'act') return oneOf(value, place, (one) => actKinds.some((kind) => kind === one), actKinds.join(', '));
  if (field === 'technique')
    return oneOf(value, place, (one) => /^T\d{4}(\.\d{3})?$/i.test(one), 'ids such as T1059 or T1059.004');
  if (field === 'tactic')
    return oneOf(value, place, (one) => tacticId(one) !== undefined, 'ids such as TA0006, or names such as credential_access');
  if (field === 'window') return windowProblems(value, place);
  if (field === 'labels') return isObject(value) ? groupProblems(value, place) : [`${place} has to be an object of labels`];
  if (field === 'workload' || field === 'image' || field === 'process') {
    if (!isObject(value)) return [`${place} has to be an object`];
    const allowed: readonly string[] = groups[field];
    const unknown = Object.keys(value).filter((name) => !allowed.includes(name));
    return [
      ...unknown.map((name) => `${place}.${name} is unknown: use one of ${allowed.join(', ')}`),
      ...groupProblems(value, place),
    ];
  }
  return textProblems(value, place);
}

function groupProblems(group: Readonly<Record<string, unknown>>, place: string): readonly string[] {
  const entries = Object.entries(group).filter(([, value]) => value !== undefined);
  if (entries.length === 0) return [`${place} is empty`];
  return entries.flatMap(([name, value]) => textProblems(value, `${place}.${name}`));
}

function listed(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [value];
}

function oneOf(value: unknown, place: string, isOne: (text: string) => boolean, names: string): readonly string[] {
  const list = listed(value);
  if (list.length === 0) return [`${place} is an empty list, which matches nothing`];
  return list.flatMap((one) =>
    typeof one === 'string' && isOne(one) ? [] : [`${place}: ${JSON.stringify(one)} is not valid: use ${names}`],
  );
}

function textProblems(value: unknown, place: string): readonly string[] {
  const list = listed(value);
  if (list.length === 0) return [`${place} is an empty list, which matches nothing`];
  return list.flatMap((one) => patternProblems(one, place));
}

function patternProblems(one: unknown, place: string): readonly string[] {
  if (typeof one === 'string') return one === '' ? [`${place} is an empty text, which matches no alert`] : [];
  if (!isObject(one)) return [`${place} has to be a text, glob('…') or regex('…'), not ${JSON.stringify(one) ?? typeof one}`];
  if (one instanceof RegExp) return [`${place}: write regex('…') instead of /…/: patterns are data here and run in linear time`];
  const { glob, regex, ignoreCase } = one;
  try {
    if (typeof glob === 'string' && regex === undefined) globPattern(glob);
    else if (typeof regex === 'string' && glob === undefined) linearPattern(regex, { ignoreCase: ignoreCase === true });
    else return [`${place} has to be a text, glob('…') or regex('…')`];
    return [];
  } catch (error) {
    return [
      `${place}: ${JSON.stringify(glob ?? regex)} cannot be run: ${error instanceof Error ? error.message : 'it is not a pattern'}`,
    ];
  }
}

function timeProblems(value: Readonly<Record<string, unknown>>, place: string, longestMs: number): readonly string[] {
  const { within, per } = value;
  const ms = typeof within === 'string' && isDuration(within) ? durationMs(within) : undefined;
  return [
    ...(ms === undefined || ms < 1_000 || ms > longestMs
      ? [`${place}.within has to be a duration such as '10m', up to ${longestMs / 86_400_000}d`]
      : []),
    ...(per === undefined || pers.some((one) => one === per) ? [] : [`${place}.per has to be one of ${pers.join(', ')}`]),
  ];
}

function countProblems(value: unknown, place: string): readonly string[] {
  if (!isObject(value)) return [`${place} has to be { times, within, per }`];
  const { times } = value;
  const isNumber = typeof times === 'number' && Number.isInteger(times) && times >= 2 && times <= mostTimes;
  return [
    ...(isNumber ? [] : [`${place}.times has to be a whole number from 2 to ${mostTimes}`]),
    ...timeProblems(value, place, longestCountMs),
  ];
}

function absentProblems(value: unknown, place: string, depth: number): readonly string[] {
  if (!isObject(value)) return [`${place} has to be { of, within, per }`];
  return [
    ...timedProblems(value.of, `${place}.of`),
    ...problemsOfMatch(value.of, `${place}.of`, depth + 1),
    ...timeProblems(value, place, longestAbsenceMs),
  ];
}

/** Counting and waiting conditions are allowed only where they must hold: their negation would be ambiguous. */
function timedProblems(match: unknown, place: string): readonly string[] {
  if (!isObject(match)) return [];
  const { any, all, not, absent } = match;
  const lists = [any, all].flatMap((list) => (Array.isArray(list) ? list : []));
  const own = ['count', 'absent'].filter((field) => match[field] !== undefined);
  return [
    ...own.map((field) => `${place}.${field}: counting and waiting are not possible within not and absent`),
    ...(match.novel === undefined
      ? []
      : [`${place}.novel: novelty can only raise how an alert is handled, so it is not possible within not and absent`]),
    ...[...lists, ...(not === undefined ? [] : [not]), ...(isObject(absent) ? [absent.of] : [])].flatMap((one) =>
      timedProblems(one, place),
    ),
  ];
}

const timeOfDay = /^(?:[01]\d|2[0-3]):[0-5]\d$/;

function windowProblems(value: unknown, place: string): readonly string[] {
  if (!isObject(value)) return [`${place} has to be { timeZone, open: [{ days, from, until }] }`];
  const { timeZone, open } = value;
  const zone = typeof timeZone === 'string' && isTimeZone(timeZone);
  return [
    ...(zone ? [] : [`${place}.timeZone has to be an IANA time zone, such as Europe/Berlin`]),
    ...(Array.isArray(open) && open.length > 0
      ? open.flatMap((one, at) => openProblems(one, `${place}.open[${at}]`))
      : [`${place}.open has to be a list of times`]),
  ];
}

function openProblems(value: unknown, place: string): readonly string[] {
  if (!isObject(value)) return [`${place} has to be { days, from, until }`];
  const { days, from, until } = value;
  const isTime = (text: unknown): boolean => typeof text === 'string' && timeOfDay.test(text);
  const areDays = Array.isArray(days) && days.length > 0 && days.every((day) => weekdays.some((one) => one === day));
  return [
    ...(areDays ? [] : [`${place}.days has to be a list of ${weekdays.join(', ')}`]),
    ...(isTime(from) && isTime(until) ? [] : [`${place}: from and until have to be times of day such as 22:00`]),
    ...(from === until ? [`${place} ends at the time when it starts: for whole days, write two windows`] : []),
  ];
}

/** @throws TypeError that lists everything wrong with the match */
export function assertMatch(match: Match, who: string): void {
  const problems = problemsOfMatch(match);
  if (problems.length > 0) throw new TypeError(`${who}: ${problems.join('; ')}`);
}
