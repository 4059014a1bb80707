/** Each emoji that the app uses, by the class that the page draws it with: fonts of a bare machine have none. */
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

/** The character stays in the text, for who searches or copies it, and is drawn by the style sheet. For what is shown, never for an attribute. */
export function withEmoji(html: string): string {
  return html.replaceAll(pattern, (found) => `<span class="emoji emoji-${emoji[found]}">${found}</span>`);
}
