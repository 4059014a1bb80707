import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { SlackWorld } from '../world.ts';
import { emoji } from './emoji.ts';
import { mrkdwnToHtml, plainToHtml } from './mrkdwn.ts';

const sources = join(import.meta.dirname, '../../../../integrations/slack');
const style = readFileSync(join(import.meta.dirname, 'page-assets', 'page.css'), 'utf8');

test('the page draws every emoji that the app uses', () => {
  const used = readdirSync(sources, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .flatMap((entry) =>
      [...readFileSync(join(entry.parentPath, entry.name), 'utf8').matchAll(/\p{Emoji_Presentation}|\p{Emoji}\u{fe0f}/gu)].map(
        ([found]) => found,
      ),
    );
  expect(used.length).toBeGreaterThan(5);
  expect([...new Set(used)].filter((one) => emoji[one] === undefined)).toEqual([]);
  for (const name of Object.values(emoji)) expect(style).toContain(`.emoji-${name} {`);
});

test('it stays in place, even as text, and is never drawn in an address', () => {
  const world = new SlackWorld({ appId: 'A1', teamId: 'T1', users: [], channels: [] });
  const red = '<span class="emoji emoji-red">🔴</span>';
  expect(mrkdwnToHtml('🔴 *CRITICAL*', { verbatim: true, world })).toBe(`${red} <b>CRITICAL</b>`);
  expect(plainToHtml('Is it 🔴?')).toBe(`Is it ${red}?`);
  expect(mrkdwnToHtml('<https://example.com/🔴|here>', { verbatim: true, world })).toContain('href="https://example.com/🔴"');
});
