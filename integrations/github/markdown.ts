/** Put after what would make GitHub link, mention or notify: invisible, and no part of any name (U+2060, word joiner). */
const breaker = '\u2060';

function isInvisible(code: number): boolean {
  const control = (code < 0x20 && code !== 0x0a && code !== 0x09) || (code >= 0x7f && code <= 0x9f);
  const direction = (code >= 0x202a && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069) || code === 0x061c;
  const nothing = (code >= 0x200b && code <= 0x200f) || code === 0x2028 || code === 0x2029 || code === 0xfeff;
  return control || direction || nothing;
}

/** What hides or turns text round is written out, as `\u{202e}`. */
function visible(text: string): string {
  return [...text.replaceAll('\r\n', '\n')]
    .map((character) => {
      const code = character.codePointAt(0) ?? 0;
      return isInvisible(code) ? `\\u{${code.toString(16)}}` : character;
    })
    .join('');
}

/**
 * Takes the power from text that an attacker wrote: no mention, no link, no reference to an issue. GitHub looks for them in
 * the rendered text, so escapes do not help; a broken-up word does.
 * https://docs.github.com/en/get-started/writing-on-github/working-with-advanced-formatting/autolinked-references-and-urls
 */
export function defang(text: string): string {
  return visible(text)
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
