import { describe, expect, test } from '@jest/globals';
import { agoText, lengthText, timeText, tookText } from '../../console/time.ts';
import { entryText, plainText, sizeText, standText } from '../../console/words.ts';
import { wholeTargetText } from '../../core/text/plain-text.ts';
import { listed } from '../browser/console/sample.ts';

const now = Date.parse('2026-03-01T14:30:00Z');
const reader = { locale: 'en-US', timeZone: 'UTC' };

describe('times in the console', () => {
  test('show the hour today, the day as well on another day, and the year as well in another year', () => {
    expect(timeText('2026-03-01T14:02:11.123Z', now, reader)).toBe('14:02');
    expect(timeText('2026-02-28T23:59:00Z', now, reader)).toBe('Feb 28, 23:59');
    expect(timeText('2025-12-31T00:00:00Z', now, reader)).toBe('Dec 31, 2025, 00:00');
  });

  test('are in the reader’s time zone, in which today may be another day', () => {
    const auckland = { locale: 'en-US', timeZone: 'Pacific/Auckland' };
    expect(timeText('2026-03-01T14:02:00Z', now, auckland)).toBe('03:02');
    expect(timeText('2026-03-01T10:59:00Z', now, auckland)).toBe('Mar 1, 23:59');
  });

  test.each([
    [-5, '0 s'],
    [59_400, '59 s'],
    [90_000, '1 min 30 s'],
    [600_000, '10 min'],
    [11_520_000, '3 h 12 min'],
    [7_200_000, '2 h'],
    [94_000_000, '1 d 2 h'],
  ])('%d ms last %s', (ms, text) => expect(lengthText(ms)).toBe(text));

  test('say how long ago, and never a future time that only another clock has', () => {
    expect(agoText('2026-03-01T14:30:02Z', now)).toBe('just now');
    expect(agoText('2026-03-01T14:27:10Z', now)).toBe('2 min ago');
  });

  test.each([
    [0.3001, '301 ms'],
    [1.21, '1.3 s'],
    [839.2, '14 min'],
  ])('what took %d s is never shown faster: %s', (seconds, text) => expect(tookText(seconds)).toBe(text));
});

describe('what the engine wrote', () => {
  test('is shown without kinds, code names and machine times', () => {
    expect(plainText('quarantinePod on pod/shop/cart-7d9c5b6f4-x2x8k: unverified', now)).toBe(
      'quarantine pod on cart-…x2x8k: unverified',
    );
    expect(plainText('ticket/github/shop/cart-1 ran: 2026-03-01 14:02 UTC', now)).toMatch(/^shop\/cart-1 ran: .*\d\d:\d\d$/);
    expect(plainText('removed from networkpolicy/shop/deny-all and node/worker-7', now)).toBe(
      'removed from deny-all and worker-7',
    );
  });

  test('has full names where somebody decides', () => {
    expect(plainText('pod/shop/cart-7d9c5b6f4-x2x8k: deleted', now, 'whole')).toBe('Pod cart-7d9c5b6f4-x2x8k in shop: deleted');
  });

  test('leaves commands, images and proper names as they are', () => {
    for (const text of ['/tmp/.x/kdevtmpfsi -o pool.example.net:3333', 'registry.example.com/shop/cart:1.4.2', 'GitHub, Argo CD'])
      expect(plainText(text, now)).toBe(text);
  });

  const record = { number: 1, at: '2026-03-01T14:02:11Z', actor: { kind: 'engine', name: 'engine' }, action: null } as const;

  test('about a check says how certain it is, and what was checked', () => {
    const target = 'pod/shop/cart-7d9c5b6f4-x2x8k';
    const text = `quarantinePod on ${target}: unverified (no probe was made)`;
    expect(entryText({ ...record, kind: 'step.checked', text, target }, now)).toEqual({
      head: 'Not proven yet: cart-…x2x8k',
      detail: 'no probe was made',
      tone: 'doubt',
    });
  });

  test('about a verdict has its word, and about an answer names its person once', () => {
    const verdict = { ...record, kind: 'incident.verdict', text: 'benign: expected, said Ada', target: null };
    expect(entryText(verdict, now)).toMatchObject({ head: 'Verdict: harmless', detail: 'expected, said Ada' });
    const actor = { kind: 'person', name: 'Ada Byron' } as const;
    const vote = { ...record, actor, kind: 'vote.accepted', text: 'Ada Byron: Yes: release the pod: ours', target: null };
    expect(entryText(vote, now)).toMatchObject({ head: 'Answer given', detail: 'Yes: release the pod: ours' });
    const decided = { ...record, actor, kind: 'question.decided', text: 'Expected, by design, by Ada Byron', target: null };
    expect(entryText(decided, now)).toMatchObject({ head: 'Decided', detail: 'Expected, by design' });
  });

  test('of an unknown kind is shown all the same', () => {
    expect(entryText({ ...record, kind: 'new.kind', text: 'something else', target: null }, now).head).toBe('something else');
  });
});

test('an incident’s state is shown as it is, and no better', () => {
  expect(standText(listed(1)).text).toBe('Not contained');
  expect(standText(listed(1, { contained: 1, isProven: true }))).toEqual({ text: 'Contained', tone: 'good' });
  expect(standText(listed(1, { contained: 1 }))).toEqual({ text: 'Contained, not proven', tone: 'doubt' });
  expect(standText(listed(1, { contained: 1, state: 'closed', verdict: 'benign' })).text).toBe('Closed: harmless');
});

test('objects and sizes are shown in words', () => {
  expect(wholeTargetText('pod/shop/cart-1')).toBe('Pod cart-1 in shop');
  expect(wholeTargetText('node/worker-7')).toBe('Node worker-7');
  expect(wholeTargetText('networkpolicy/shop/deny-all')).toBe('NetworkPolicy deny-all in shop');
  expect([sizeText(999), sizeText(4210), sizeText(2_500_000)]).toEqual(['999 B', '4.2 kB', '2.5 MB']);
});
