import { describe, expect, test } from '@jest/globals';
import { errorCatalogue } from '../../core/errors.ts';
import { grade, refusedIn, wordsOf } from '../reading.ts';

const errors = Object.entries(errorCatalogue).map(([code, { summary, remedy }]) => ({ code, summary, remedy }));

/** How a remedy begins: with an instruction, or with the cause that it follows from. */
const instructs =
  /^(?:Act|Add|Answer|Ask|Check|Compare|Correct|Decide|Install|Keep|Look|Read|Release|Restore|Run|Sign|Take|Use|Wait|If|Somebody)\b/;

describe('an error in the catalogue', () => {
  test.each(errors)('$code says in one short line what happened', ({ summary }) => {
    expect(wordsOf(summary).length).toBeLessThanOrEqual(16);
    expect(summary).toMatch(/^[A-Z].*[^.]$/);
    expect(refusedIn(summary)).toEqual([]);
  });

  test.each(errors)('$code says what to do, in two lines at most', ({ summary, remedy }) => {
    expect(remedy).toMatch(instructs);
    expect(remedy).toMatch(/\.$/);
    expect(remedy.length).toBeLessThanOrEqual(190);
    expect(remedy).not.toContain(summary);
    expect(refusedIn(remedy.replaceAll(/`[^`]*`/g, ''))).toEqual([]);
    expect(grade(remedy.replaceAll(/`[^`]*`/g, 'it'))).toBeLessThanOrEqual(9);
  });

  test('has a summary and a remedy of its own', () => {
    expect(new Set(errors.flatMap(({ summary, remedy }) => [summary, remedy])).size).toBe(errors.length * 2);
  });
});
