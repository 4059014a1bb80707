import { globPattern } from './linear-pattern.ts';

/** Whether one of the patterns matches the whole name. `*` stands for any characters. */
export function matchesAnyName(patterns: readonly string[], name: string): boolean {
  return patterns.some((pattern) => (isPattern(pattern) ? globPattern(pattern).matches(name) : pattern === name));
}

/** The same in CEL, for an admission policy: its lists and selectors know no patterns, but its expressions do. */
export function anyNameInCel(subject: string, patterns: readonly string[]): string {
  const names = patterns.filter((pattern) => !isPattern(pattern));
  const expressions = patterns.filter(isPattern).map((pattern) => pattern.split('*').map(escaped).join('.*'));
  const inList = names.length > 0 ? [`${subject} in [${names.map((one) => `'${one}'`).join(', ')}]`] : [];
  const byPattern = expressions.length > 0 ? [`${subject}.matches('^(${expressions.join('|')})$')`] : [];
  return [...inList, ...byPattern].join(' || ');
}

export function isPattern(text: string): boolean {
  return text.includes('*');
}

/** A dot may be any character in a regular expression, and a backslash ends a text in CEL. */
function escaped(text: string): string {
  return text.replace(/[^\w-]/g, '[$&]');
}
