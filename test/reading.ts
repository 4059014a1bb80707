/** Measures how hard a text is to read. */

/** The Flesch–Kincaid grade. Names count as one short word: people do not read them letter by letter. */
export function grade(text: string): number {
  const sentences = sentencesOf(text);
  const words = sentences.flatMap(wordsOf);
  const syllables = words.reduce((sum, word) => sum + syllablesOf(word), 0);
  return 0.39 * (words.length / sentences.length) + 11.8 * (syllables / words.length) - 15.59;
}

function syllablesOf(word: string): number {
  if (/[\d/…-]|\w\.\w/.test(word)) return 1;
  const found = word
    .toLowerCase()
    .replaceAll(/[^a-z]/g, '')
    .replace(/(?:[^laeiouy]es|[^laeiouytd]ed|[^laeiouy]e)$/, '')
    .match(/[aeiouy]+/g);
  return Math.max(1, found?.length ?? 1);
}

export function sentencesOf(text: string): readonly string[] {
  return text.split(/[.?!:\n]+(?:\s|$)/).filter((one) => /[a-z]/i.test(one));
}

export function wordsOf(sentence: string): readonly string[] {
  return sentence.split(/\s+/).filter((word) => /[a-z]/i.test(word));
}

/** The paragraphs and lists of a page, without code, tables, headings or pictures. Code within a sentence counts as one short word. */
export function proseOf(markdown: string): string {
  return withoutCode(markdown)
    .replaceAll(/<!--[\s\S]*?-->|^\|.*$|^#.*$|!\[[^\]]*\]\([^)]*\)/gm, '')
    .replaceAll(/\[((?:[^[\]]|\[[^\]]*\])*)\]\([^)]*\)/g, '$1')
    .replaceAll(/[*_]/g, '')
    .replaceAll(/^ *(?:[-*]|\d+\.) /gm, '\n')
    .split(/\n\s*\n/)
    .map((paragraph) => paragraph.replaceAll(/\s+/g, ' ').trim())
    .filter((paragraph) => paragraph !== '')
    .join('\n\n');
}

function withoutCode(markdown: string): string {
  return markdown.replaceAll(/^( *)(```+)[^\n]*\n[\s\S]*?^ *\2 *$/gm, '').replaceAll(/`[^`]*`/g, 'it');
}

/** Words that we made up and phrases that are not English, each with what to write instead. */
const refused: readonly (readonly [RegExp, string])[] = [
  [/silence never frees/i, 'a containment is never lifted because nobody answered'],
  [/\b(?:tells|tell|told) of\b/i, 'names, reports, shows'],
  [/\bbroken glass\b/i, 'break-glass session'],
  [/\bthie(?:f|ves)\b/i, 'an attacker who has …, a compromised …'],
  [/\bone more door\b/i, 'endpoint'],
  [/\bof old\b/i, 'former, outdated'],
  [/, for one(?=[,;).])/i, 'for example'],
  [/\bfor who\b/i, 'for users who, for whoever'],
  [/\bbut for\b/i, 'except'],
  [/\bby and by\b/i, 'gradually'],
  [/\bsigns? of life\b/i, 'heartbeat'],
  [/\bin the clear\b/i, 'unencrypted'],
  [/\bmend(?:s|ed|ing)?\b/i, 'repair, correct'],
  [/\bbring(?:s|ing)? along\b/i, 'bring, include'],
  [/\bbears? with\b/i, 'bounded, limited'],
  [/\bopens once\b/i, 'single use'],
  [/\bgood for .{1,20} both ways\b/i, 'valid for ±…'],
  [/\bhold(?:s|ing)? up\b/i, 'delay'],
  [/\banew\b/i, 'again'],
  [/\b(?:gives?|given|gave) back\b|\bgives? (?:it|them) back\b/i, 'release, restore, undo'],
  [/\bbeside\b/i, 'next to, in addition to'],
];

/** Returns those found in a text, each with what to write instead. */
export function refusedIn(text: string): readonly string[] {
  return refused.flatMap(([pattern, instead]) =>
    [...text.matchAll(new RegExp(pattern, 'gi'))].map(([word]) => `${word}: ${instead}`),
  );
}

/** What people see of mrkdwn: no markup, and times as the hour. */
export function seen(mrkdwn: string): string {
  return mrkdwn
    .replaceAll(/<!date\^[^|]*\|(\d\d:\d\d) UTC>/g, '$1')
    .replaceAll(/<[^|>]*\|([^>]*)>/g, '$1')
    .replaceAll(/[*`]/g, '')
    .replaceAll(/&(amp|lt|gt);/g, '&');
}

/** Identifiers of code, kinds before names, times as machines write them, hashes. */
export const codeNames = [
  /\b[a-z]+[A-Z]\w*/,
  /\b(pod|deployment|node|secret|namespace|networkpolicy)\/\S/i,
  /\d{4}-\d\d-\d\dT/,
  /\bFB_/,
  /\b[a-z]+_[a-z_]+\b/,
  /sha256|undo:/,
];
