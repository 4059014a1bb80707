/** Each emoji that the app uses, by the class with which the page draws it: a bare machine's fonts have none. */
export const emoji: Readonly<Record<string, string>> = {
  '🔴': 'red',
  '🟠': 'orange',
  '🟡': 'yellow',
  '🔵': 'blue',
  '⚪': 'white',
  '✅': 'done',
  '⌛': 'over',
  '🚫': 'void',
  '⛔': 'stop',
  '⚠️': 'warning',
};

const pattern = new RegExp(Object.keys(emoji).join('|'), 'gu');

/** The character stays in the text, for searching and copying, and is drawn by the style sheet. For displayed text, never for an attribute. */
export function withEmoji(html: string): string {
  return html.replaceAll(pattern, (found) => `<span class="emoji emoji-${emoji[found]}">${found}</span>`);
}
