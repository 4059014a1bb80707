import { visibleText } from '../../core/text/visible-text.ts';

/** Put after what would make GitHub link, mention or notify: invisible, and no part of any name (U+2060, word joiner). */
const breaker = '\u2060';

/**
 * Takes the power from text that an attacker wrote: no mention, no link, no reference to an issue. GitHub looks for them in
 * the rendered text, so escapes do not help; a broken-up word does.
 * https://docs.github.com/en/get-started/writing-on-github/working-with-advanced-formatting/autolinked-references-and-urls
 */
export function defang(text: string): string {
  return visibleText(text)
    .replaceAll('@', `@${breaker}`)
    .replaceAll('://', `:${breaker}//`)
    .replaceAll(/\bwww\./gi, (found) => `${found.slice(0, 3)}${breaker}.`)
    .replaceAll(/#(?=\d)/g, `#${breaker}`)
    .replaceAll(/\bGH-(?=\d)/gi, (found) => `${found}${breaker}`);
}

/** Plain text as GitHub Markdown that shows exactly this text: no HTML, no image, no list, no heading, no mention, no link. */
export function escapeMarkdown(text: string): string {
  return defang(text)
    .replaceAll(/[\\`*_{}[\]()#+\-!|~$:="']/g, '\\$&')
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll(/^(\s*\d+)\./gm, '$1\\.')
    .replaceAll(/^[ \t]+/gm, (indent) => '\u00a0'.repeat(indent.length));
}

/** A title is no Markdown but for code spans, mentions and references. */
export function ticketTitle(text: string): string {
  const line = defang(text).replaceAll(/\s+/g, ' ').replaceAll('`', '\u02cb').trim();
  const characters = [...line];
  return characters.length <= 240 ? line : `${characters.slice(0, 239).join('')}…`;
}
