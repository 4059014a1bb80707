function isInvisible(code: number): boolean {
  const control = (code < 0x20 && code !== 0x0a && code !== 0x09) || (code >= 0x7f && code <= 0x9f);
  const direction = (code >= 0x202a && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069) || code === 0x061c;
  const nothing = (code >= 0x200b && code <= 0x200f) || code === 0x2028 || code === 0x2029 || code === 0xfeff;
  return control || direction || nothing;
}

/** Text of an attacker as it really is: what hides or turns text round is written out, as `\u{202e}`. */
export function visibleText(text: string): string {
  return [...text.replaceAll('\r\n', '\n').toWellFormed()]
    .map((character) => {
      const code = character.codePointAt(0) ?? 0;
      return isInvisible(code) ? `\\u{${code.toString(16)}}` : character;
    })
    .join('');
}

/** On one line, at most `limit` UTF-16 units, and never half a character. */
export function oneLine(text: string, limit: number): string {
  return cutText(visibleText(text).replaceAll(/\s+/g, ' ').trim(), limit);
}

/** At most `limit` UTF-16 units; what was cut off ends in `…`. */
export function cutText(text: string, limit: number): string {
  return text.length <= limit ? text : `${text.slice(0, limit - 1).replace(/[\ud800-\udbff]$/, '')}…`;
}
