import { plainText, timesSplit, utcWords } from '../../../core/text/plain-text.ts';

/**
 * Everything in an alert is attacker-controlled text. These functions make it harmless inside Slack's text objects:
 * https://docs.slack.dev/messaging/formatting-message-text#escaping
 */

/** More would not be called by a level, but shouted at. */
const mostMentioned = 8;

/** Control characters, text direction, zero width, line separators, fillers, tags: anything that hides or reverses text. Emoji keep their U+FE0F. */
const treacherous = /(?!\n|\t|\ufe0f)(?:\p{Cc}|\p{Cf}|\p{Zl}|\p{Zp}|\p{Default_Ignorable_Code_Point})/gu;

const entities: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;' };

/** Makes hidden characters visible, and replaces tabs and line ends with blanks unless `lines` keeps them. Not yet escaped. */
function visible(text: string, lines: boolean): string {
  const normal = text.toWellFormed().replaceAll('\r\n', '\n').replaceAll(treacherous, '\ufffd');
  return lines ? normal.replaceAll('\t', '  ') : normal.replaceAll(/[\n\t]+/g, ' ');
}

/** Truncates by the length that Slack counts, which is after escaping, and never inside a character or an entity. */
function escapedUpTo(text: string, max: number): string {
  const parts: string[] = [];
  let length = 0;
  let keep = 0;
  for (const character of text) {
    const escaped = entities[character] ?? character;
    if (length + escaped.length > max) return max < 1 ? '' : `${parts.slice(0, keep).join('')}…`;
    parts.push(escaped);
    length += escaped.length;
    if (length <= max - 1) keep = parts.length;
  }
  return parts.join('');
}

/** For `plain_text` objects and the notification: escaped, one line, at most `max` characters. Never empty, because Slack refuses that. */
export function plain(text: string, max: number): string {
  const result = escapedUpTo(visible(text, false), max);
  return result.trim() === '' ? '–' : result;
}

/** Replaces mrkdwn markup with look-alikes: the text stays readable, formats nothing and shows no green tick. */
const lookAlikes: Readonly<Record<string, string>> = { '`': 'ˋ', '*': '∗', _: 'ˍ', '~': '∼', ':': '∶' };

/** Backticks; marks at the edge of a word (inside a word they mean nothing); emoji by name. */
const markup = /`|(?<![\p{L}\p{N}])[*_~]|[*_~](?![\p{L}\p{N}])|:(?=[\p{L}\p{N}_+'-]+:)/gu;

/** For free text inside mrkdwn. */
export function inline(text: string, max: number): string {
  return plain(text.replaceAll(markup, (found) => lookAlikes[found] ?? found).replace(/^>/u, '›'), max);
}

/** A value in backticks: only a backtick could end it. */
export function code(text: string, max: number): string {
  return `\`${plain(text.replaceAll('`', 'ˋ'), max - 2)}\``;
}

/** A block of code: keeps line ends. */
export function preformatted(text: string, max: number): string {
  const inner = escapedUpTo(visible(text.replaceAll('`', 'ˋ'), true), max - 8);
  return `\`\`\`\n${inner.trim() === '' ? '–' : inner}\n\`\`\``;
}

/** `2026-03-01 14:32 UTC`; a text that is not a time is returned unchanged. */
export function utc(iso: string): string {
  const time = Date.parse(iso);
  return Number.isNaN(time) ? plain(iso, 40) : `${new Date(time).toISOString().slice(0, 16).replace('T', ' ')} UTC`;
}

/** A time in the reader's own zone. https://docs.slack.dev/messaging/formatting-message-text#date-formatting */
export function localTime(iso: string): string {
  const time = Date.parse(iso);
  if (Number.isNaN(time) || time < 0) return code(iso, 40);
  return `<!date^${Math.floor(time / 1_000)}^{date_short_pretty} {time}|${utc(iso)}>`;
}

/**
 * Renders text written by the engine for people: names without kinds, actions as words, times in the reader's own zone. mrkdwn, at most about `max` characters:
 * a time that would not fit is left out together with everything after it.
 */
export function newsText(text: string, max: number): string {
  let [line, left] = ['', max];
  for (const part of timesSplit(text)) {
    if ('text' in part && part.text.trim() === '') {
      line += part.text;
      continue;
    }
    const words = 'time' in part ? localTime(part.time) : edged(part.text, left);
    if (words.length > left) return `${line}…`;
    line += words;
    left -= words.length;
    if (words.endsWith('…')) break;
  }
  return line === '' ? '–' : line;
}

/** `inline`, but keeps the blanks at both ends, because a time stands next to them. */
function edged(text: string, max: number): string {
  const [, before = '', words = '', after = ''] = /^(\s*)([\s\S]*?)(\s*)$/.exec(text) ?? [];
  return `${before && ' '}${inline(plainText(words, { time: utcWords }), max)}${after && ' '}`;
}

/** Plain text for one person, with the times in it in their own zone. At most about `max` characters. */
export function timed(text: string, max: number): string {
  const parts = timesSplit(text).map((part) => ('time' in part ? clock(part.time) : part.text && plainEdged(part.text, max)));
  const all = parts.join('');
  return all.length > max || all.trim() === '' ? plain(text, max) : all;
}

function plainEdged(text: string, max: number): string {
  if (text.trim() === '') return ' ';
  const [, before = '', words = '', after = ''] = /^(\s*)([\s\S]*?)(\s*)$/.exec(text) ?? [];
  return `${before && ' '}${plain(words, max)}${after && ' '}`;
}

const sameDayMs = 20 * 3_600_000;

/** The time of day in the reader's own zone; with the day if it is far from `near`, whose day people know. */
export function clock(iso: string, near = iso): string {
  const time = Date.parse(iso);
  if (Number.isNaN(time) || time < 0) return code(iso, 40);
  if (Math.abs(time - Date.parse(near)) > sameDayMs) return localTime(iso);
  return `<!date^${Math.floor(time / 1_000)}^{time}|${utcClock(iso)}>`;
}

/** `14:32 UTC`; a text that is not a time is returned unchanged. */
export function utcClock(iso: string): string {
  const time = Date.parse(iso);
  return Number.isNaN(time) ? plain(iso, 40) : `${new Date(time).toISOString().slice(11, 16)} UTC`;
}

/** Characters that a phone of 390 px shows on one line of a message. */
const onPhoneLine = 46;

/** Number of lines that mrkdwn takes on a phone: markup is invisible, a time is an hour, and lines break between words. */
export function phoneLines(mrkdwn: string): number {
  const seen = mrkdwn
    .replaceAll(/<!date\^[^|]*\|[^>]*>/g, '10:00 PM')
    .replaceAll(/<[^|>]*\|([^>]*)>/g, '$1')
    .replaceAll(/[*`]/g, '');
  return seen.split('\n').reduce((sum, line) => {
    let [lines, used] = [1, 0];
    for (const { length } of line.split(' ')) {
      if (used > 0 && used + 1 + length > onPhoneLine) [lines, used] = [lines + 1, 0];
      used += (used > 0 ? 1 : 0) + length;
    }
    return sum + lines;
  }, 0);
}

/** Splits text into whole lines, with as many lines per part as fit into a section. */
export function chunks(text: string): readonly string[] {
  const parts = [''];
  for (const line of text.split('\n')) {
    const last = parts.at(-1) ?? '';
    if (last.length + line.length + 1 > 2_900) parts.push(line.slice(0, 2_900));
    else parts[parts.length - 1] = last === '' ? line : `${last}\n${line}`;
  }
  return parts.filter((part) => part !== '');
}

/** Joins lines while they fit, and gives the number that did not fit. */
export function linesUpTo(lines: readonly string[], max: number): string {
  const kept: string[] = [];
  let length = 0;
  for (const [index, line] of lines.entries()) {
    if (length + line.length + 1 > max - 24) {
      kept.push(`… and ${lines.length - index} more`);
      break;
    }
    kept.push(line);
    length += line.length + 1;
  }
  return kept.join('\n');
}

export function sizeText(bytes: number): string {
  if (bytes < 1_024) return `${bytes} B`;
  return bytes < 1_048_576 ? `${(bytes / 1_024).toFixed(1)} KiB` : `${(bytes / 1_048_576).toFixed(1)} MiB`;
}

export function isAccount(text: string): boolean {
  return /^[UW][A-Z0-9]{2,20}$/.test(text);
}

/** Each of these is notified by a new message, and never by an edit. https://docs.slack.dev/messaging/formatting-message-text#mentioning-users */
export function mentions(accounts: readonly string[]): string {
  return accounts
    .filter(isAccount)
    .slice(0, mostMentioned)
    .map((account) => `<@${account}>`)
    .join(' ');
}
