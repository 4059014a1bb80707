/**
 * Characters that a reader does not see, or that mislead them: all that Unicode calls other (control, format, surrogates, private, not assigned: direction,
 * zero width, soft hyphen, tags) or ignorable (fillers, variation selectors), its own line separators, and the blank Braille pattern. By class, not by a list:
 * the next version of Unicode has more of them. Line feed and tab are kept.
 */
const hidden = /(?![\n\t])[\p{Other}\p{Line_Separator}\p{Paragraph_Separator}\p{Default_Ignorable_Code_Point}\u2800]/gu;
const hiddenOrBreak = new RegExp(hidden.source.replace('(?![\\n\\t])', ''), hidden.flags);

const writtenOut = (character: string): string => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`;

/** An attacker's text as it really is: characters that hide or reverse text are escaped, as `\u{202e}`. */
export function visibleText(text: string): string {
  return text.replaceAll('\r\n', '\n').toWellFormed().replace(hidden, writtenOut);
}

/** The same for one line of a terminal or a log: line feeds and tabs are escaped, too. */
export function visibleLine(text: string): string {
  return text.toWellFormed().replace(hiddenOrBreak, writtenOut);
}

/** Equivalent JSON on one line, with all such characters escaped as `\u202e`. */
export function visibleJson(json: string): string {
  return json
    .toWellFormed()
    .replace(hiddenOrBreak, (character) =>
      Array.from({ length: character.length }, (_, at) => `\\u${character.charCodeAt(at).toString(16).padStart(4, '0')}`).join(
        '',
      ),
    );
}

/** On one line, at most `limit` UTF-16 units, never ending in half a character. */
export function oneLine(text: string, limit: number): string {
  return cutText(visibleText(text).replaceAll(/\s+/g, ' ').trim(), limit);
}

/** At most `limit` UTF-16 units; a truncated text ends in `…`. */
export function cutText(text: string, limit: number): string {
  return text.length <= limit ? text : `${text.slice(0, limit - 1).replace(/[\ud800-\udbff]$/, '')}…`;
}
