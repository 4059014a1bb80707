/**
 * What a reader does not see, or what makes them see something else: all that Unicode calls other (control, format, surrogates, private, not
 * assigned: direction, zero width, soft hyphen, tags) or ignorable (fillers, variation selectors), its own line ends, and the blank Braille
 * pattern. By class, not by a list: the next version of Unicode has more of them. Line feed and tab are left.
 */
const hidden = /(?![\n\t])[\p{Other}\p{Line_Separator}\p{Paragraph_Separator}\p{Default_Ignorable_Code_Point}\u2800]/gu;
const hiddenOrBreak = new RegExp(hidden.source.replace('(?![\\n\\t])', ''), hidden.flags);

const writtenOut = (character: string): string => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`;

/** Text of an attacker as it really is: what hides or turns text round is written out, as `\u{202e}`. */
export function visibleText(text: string): string {
  return text.replaceAll('\r\n', '\n').toWellFormed().replace(hidden, writtenOut);
}

/** The same for one line of a terminal or a log: line feeds and tabs are written out, too. */
export function visibleLine(text: string): string {
  return text.toWellFormed().replace(hiddenOrBreak, writtenOut);
}

/** JSON on one line that says the same, with everything of this kind as `\u202e`. */
export function visibleJson(json: string): string {
  return json
    .toWellFormed()
    .replace(hiddenOrBreak, (character) =>
      Array.from({ length: character.length }, (_, at) => `\\u${character.charCodeAt(at).toString(16).padStart(4, '0')}`).join(
        '',
      ),
    );
}

/** On one line, at most `limit` UTF-16 units, and never half a character. */
export function oneLine(text: string, limit: number): string {
  return cutText(visibleText(text).replaceAll(/\s+/g, ' ').trim(), limit);
}

/** At most `limit` UTF-16 units; what was cut off ends in `…`. */
export function cutText(text: string, limit: number): string {
  return text.length <= limit ? text : `${text.slice(0, limit - 1).replace(/[\ud800-\udbff]$/, '')}…`;
}
