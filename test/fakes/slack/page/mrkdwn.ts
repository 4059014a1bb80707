import type { SlackWorld } from '../world.ts';
import { withEmoji } from './emoji.ts';

/** Slack's mrkdwn as HTML. https://docs.slack.dev/messaging/formatting-message-text. The input is Slack-escaped, and stays escaped. */
export function mrkdwnToHtml(
  text: string,
  { verbatim, world }: { readonly verbatim: boolean; readonly world: SlackWorld },
): string {
  const kept: string[] = [];
  const keep = (html: string) => `\u0000${kept.push(html) - 1}\u0000`;
  let out = quoteSafe(text)
    .replaceAll(/```\n?([\s\S]*?)\n?```/g, (_all, inner: string) => keep(`<pre class="c-pre">${sequences(inner, world)}</pre>`))
    .replaceAll(/`([^`\n]+)`/g, (_all, inner: string) => keep(`<code>${sequences(inner, world)}</code>`))
    .replaceAll(/<([^<>\n]+)>/g, (_all, inner: string) => keep(sequence(inner, world)));
  if (!verbatim) {
    out = out.replaceAll(/\bhttps?:\/\/[^\s<>"]+/g, (url) => keep(anchor(url, url)));
    out = out.replaceAll(
      /(^|\s)@(channel|here|everyone)\b/g,
      (_all, before: string, name: string) => before + keep(ping(`@${name}`)),
    );
  }
  out = out
    .replaceAll(/(^|[\s([])\*(\S(?:[^*\n]*\S)?)\*(?=$|[\s.,:;)\]])/gm, '$1<b>$2</b>')
    .replaceAll(/(^|[\s([])_(\S(?:[^_\n]*\S)?)_(?=$|[\s.,:;)\]])/gm, '$1<i>$2</i>')
    .replaceAll(/(^|[\s([])~(\S(?:[^~\n]*\S)?)~(?=$|[\s.,:;)\]])/gm, '$1<s>$2</s>')
    .replaceAll(/^&gt; ?(.*)$/gm, '<blockquote>$1</blockquote>')
    .replaceAll('\n', '<br>');
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the marks that were put in above
  return withEmoji(out).replaceAll(/\u0000(\d+)\u0000/g, (_all, index: string) => kept[Number(index)] ?? '');
}

/** `plain_text` is shown as it is: only Slack's own three entities are decoded. */
export function plainToHtml(text: string): string {
  return withEmoji(bare(text).replaceAll('\n', '<br>'));
}

function quoteSafe(text: string): string {
  return text
    .replaceAll('\u0000', '')
    .replaceAll(/&(?!(amp|lt|gt);)/g, '&amp;')
    .replaceAll('"', '&quot;');
}

function bare(text: string): string {
  return quoteSafe(text).replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

function sequences(text: string, world: SlackWorld): string {
  return text.replaceAll(/<([^<>\n]+)>/g, (_all, inner: string) => sequence(inner, world));
}

/** What is between < and >: links, mentions, dates. */
function sequence(inner: string, world: SlackWorld): string {
  const [target = '', label] = inner.split('|', 2);
  const date = /^!date\^(\d+)\^([^^]+)/.exec(target);
  if (date !== null) return dated(Number(date[1]), date[2] ?? '', label ?? '');
  if (/^!(channel|here|everyone)$/.test(target)) return ping(`@${target.slice(1)}`);
  if (target.startsWith('!subteam^')) return ping(label ?? '@group');
  if (target.startsWith('@')) return ping(`@${bare(world.users.get(target.slice(1))?.name ?? target.slice(1))}`);
  if (target.startsWith('#')) return ping(`#${bare(world.channels.get(target.slice(1))?.name ?? target.slice(1))}`);
  return /^(https?:\/\/|mailto:)/.test(target) ? anchor(target, label ?? target) : bare(`<${inner}>`);
}

function anchor(url: string, label: string): string {
  return `<a href="${bare(url)}" target="_blank" rel="noreferrer">${bare(label)}</a>`;
}

function ping(label: string): string {
  return `<span class="c-mention">${label}</span>`;
}

const short = new Intl.DateTimeFormat('en', { month: 'short', day: 'numeric', timeZone: 'UTC' });
const clock = new Intl.DateTimeFormat('en', { hour: 'numeric', minute: '2-digit', timeZone: 'UTC' });

/** The page replaces it with the reader's local time. */
function dated(seconds: number, format: string, fallback: string): string {
  const date = new Date(seconds * 1_000);
  const today = new Date().toISOString().slice(0, 10) === date.toISOString().slice(0, 10);
  const words = format
    .replaceAll(/\{date_[a-z_]+\}/g, today ? 'Today' : short.format(date))
    .replaceAll(/\{time(_secs)?\}/g, clock.format(date));
  return `<time datetime="${date.toISOString()}" title="${bare(fallback)}">${bare(words)}</time>`;
}
