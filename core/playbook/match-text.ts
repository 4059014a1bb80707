import type { Match, OneOrMore, TextPattern } from './match.ts';

type Written = OneOrMore<TextPattern>;

/** A match as people read it: `rule “A” or “B”, and severity critical`. */
export function matchText(match: Match): string {
  const {
    any,
    all = [],
    not,
    workload = {},
    image = {},
    process = {},
    labels = {},
    window,
    count,
    absent,
    privileged,
    novel,
    ...plain
  } = match;
  const groups = { workload, image, process, label: labels } as const;
  const parts = [
    ...Object.entries(plain).flatMap(([name, value]) => (value === undefined ? [] : [`${name} ${valueText(value)}`])),
    ...Object.entries(groups).flatMap(([group, fields]) =>
      Object.entries<Written | undefined>(fields).flatMap(([name, value]) =>
        value === undefined ? [] : [`${group} ${name} ${valueText(value)}`],
      ),
    ),
    ...(window ? [windowText(window)] : []),
    ...all.map(inBrackets),
    ...(any ? [`(${any.map(inBrackets).join(' or ')})`] : []),
    ...(not ? [`not ${inBrackets(not)}`] : []),
    ...(privileged === undefined ? [] : [privileged ? 'privileged' : 'not privileged']),
    ...(novel === undefined ? [] : [novel === true ? 'novel' : 'novel among its peers']),
    ...timedTexts({ ...(count && { count }), ...(absent && { absent }) }),
  ];
  return parts.join(', and ');
}

/** The conditions that a single alert does not decide: how often such alerts came, and what did not follow. */
export function timedTexts({ count, absent }: Match): readonly string[] {
  return [
    ...(count ? [`${count.times} times within ${count.within} per ${count.per ?? 'workload'}`] : []),
    ...(absent ? [`nothing of ${inBrackets(absent.of)} within ${absent.within} after it per ${absent.per ?? 'workload'}`] : []),
  ];
}

function inBrackets(match: Match): string {
  const text = matchText(match);
  return text.includes(', and ') ? `(${text})` : text;
}

function valueText(value: Written): string {
  const list: readonly TextPattern[] = typeof value === 'string' || !('length' in value) ? [value] : value;
  return list.map(patternText).join(' or ');
}

function patternText(pattern: TextPattern): string {
  if (typeof pattern === 'string') return `“${pattern}”`;
  return 'glob' in pattern ? `like “${pattern.glob}”` : `as /${pattern.regex}/${pattern.ignoreCase ? 'i' : ''}`;
}

function windowText({ timeZone, open }: NonNullable<Match['window']>): string {
  const times = open.map(({ days, from, until }) => `${days.join(' ')} ${from}–${until}`).join(', ');
  return `at ${times} (${timeZone})`;
}
