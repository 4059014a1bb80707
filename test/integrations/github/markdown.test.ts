import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { escapeMarkdown, ticketTitle } from '../../../integrations/github/tickets.ts';
import { shownText } from '../../fakes/github/page.ts';

const joiner = '\u2060';

describe('text of an attacker in a ticket', () => {
  test.each([
    ['@acme/security look', `@${joiner}acme`],
    ['see http://evil.example/x', `http\\:${joiner}//evil`],
    ['www.evil.example', `www${joiner}.evil`],
    ['fixes #12', `\\#${joiner}12`],
    ['GH-12', `GH\\-${joiner}12`],
  ])('%s is not a mention, link or reference', (text, expected) => {
    expect(escapeMarkdown(text)).toContain(expected);
  });

  test('has no HTML, no comment that could be a marker, no image, no link, no code', () => {
    const text = '<!-- firebreak:00 --><img src=x onerror=y> ![a](b) [c](d) `e` **f** | g |\n# h\n- i\n1. j\n> k\n```sh\n';
    const escaped = escapeMarkdown(text);
    expect(escaped).not.toMatch(/[<>]/);
    expect(escaped).not.toMatch(/(?<!\\)[[\]()!`*_|#~]/);
    expect(escaped).not.toMatch(/^\s*(\d+\.|-|\+|\*|>)/m);
  });

  test('shows hidden control and direction characters', () => {
    expect(shownText(escapeMarkdown('exe.\u202egpj\u0000\u200b'))).toBe('exe.\\u{202e}gpj\\u{0}\\u{200b}');
  });

  test('reads as it was written, except where it was broken up', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...' abz019`*_{}[]()#+-.!|~<>&"\'\\:;=$%^,?/') }), (text) => {
        const shown = shownText(escapeMarkdown(`x${text}x`)).replaceAll(joiner, '');
        expect(shown).toBe(`x${text}x`);
      }),
    );
  });
});

describe('a title', () => {
  test('is one line, not too long, and pings nobody', () => {
    const title = ticketTitle(`a\nb @root ${'x'.repeat(400)}`);
    expect(title).toMatch(/^a b @\u2060root x+…$/);
    expect(title.length).toBeLessThanOrEqual(256);
  });
});
