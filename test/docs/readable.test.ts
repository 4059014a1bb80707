/**
 * How hard the pages are to read, measured as docs/writing.md describes. Generated pages get their words from the code; decisions and the changelog explain
 * reasons, and a specification has to be exact.
 */
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { readPages } from '../../tools/site/pages.ts';
import { grade, proseOf, refusedIn, sentencesOf, wordsOf } from '../reading.ts';

const root = resolve(import.meta.dirname, '../..');
const readme = { name: 'README.md', file: 'README.md', text: readFileSync(join(root, 'README.md'), 'utf8') };
const pages = [...readPages(), readme].filter(
  ({ name, text }) => !text.startsWith('<!-- Generated') && !/^(decisions|api|spec)\/|^CHANGELOG/.test(name),
);

/** Limits for a page. */
const most = { wordsInASentence: 36, onAverage: 17, grade: 9 };

describe('the pages', () => {
  test.each(pages)('$file has short sentences of plain words', ({ text }) => {
    const sentences = sentencesOf(proseOf(text));
    const long = sentences.filter((sentence) => wordsOf(sentence).length > most.wordsInASentence);
    expect(long).toEqual([]);
    // A page of a few sentences has no meaningful average.
    if (sentences.length < 10) return;
    const words = sentences.reduce((sum, sentence) => sum + wordsOf(sentence).length, 0);
    expect(words / sentences.length).toBeLessThanOrEqual(most.onAverage);
    expect(grade(proseOf(text))).toBeLessThanOrEqual(most.grade);
  });

  test.each(pages)('$file uses established terms', ({ text }) => {
    // Text in backticks is quoted.
    const words = text.replaceAll(/^( *)(```+)[^\n]*\n[\s\S]*?^ *\2 *$/gm, '').replaceAll(/`[^`]*`/g, '');
    expect(refusedIn(words)).toEqual([]);
  });

  test('the README is one screen of a browser: under 120 lines', () => {
    expect(readme.text.split('\n').length).toBeLessThan(120);
  });
});
