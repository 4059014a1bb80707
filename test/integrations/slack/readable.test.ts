import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import type { KnownBlock } from '@slack/types';
import { actions } from '../../../core/actions/index.ts';
import type { QuestionCard, StoredButton } from '../../../core/cards/card.ts';
import { questionBlocks } from '../../../integrations/slack/views/render.ts';
import { codeNames, grade, seen } from '../../reading.ts';
import { questionCard } from './fixture.ts';

/** The agreed outcomes of each shipped playbook: every question among them, as it is asked in any case. See test/playbooks/record-answers.ts. */
const agreed: Readonly<Record<string, readonly (readonly string[])[]>> = JSON.parse(
  readFileSync(join(import.meta.dirname, '../../fixtures/shipped-answers.json'), 'utf8'),
);

interface Asked {
  readonly text: string;
  readonly choices: QuestionCard['choices'];
  readonly onSilence: string;
}

const asked: readonly Asked[] = [...new Set(Object.values(agreed).flat(2))].flatMap((line) => {
  const [, rest, onSilence] = /^\S+ asks [^:]*: (.*) \| silence: (.*)$/.exec(line) ?? [];
  if (rest === undefined || onSilence === undefined) return [];
  const [first = '', ...others] = rest.split(' | ');
  // The first choice comes after the question.
  const [, text = '', choice = ''] = /^(.*) ([\w-]+ “[^”]*”.*)$/.exec(first) ?? [];
  return [{ text, choices: [choice, ...others].map(choiceOf), onSilence }];
});

function choiceOf(line: string): QuestionCard['choices'][number] {
  const [, id = '', label = '', more = ''] = /^([\w-]+) “([^”]*)”(.*)$/.exec(line) ?? [];
  const parts = more.split(', ').slice(1);
  const harmless = parts.includes('harmless');
  const runs = parts.filter((part) => part !== 'harmless' && !part.endsWith(' people')).flatMap((part) => part.split('+'));
  const isDestructive = runs.some((run) => actions.some(({ name, effect }) => name === run && effect === 'destructive'));
  return {
    id,
    label,
    actions: runs,
    quorum: Number(parts.find((part) => part.endsWith(' people'))?.split(' ')[0] ?? 1),
    destructive: isDestructive,
    weakens: harmless || runs.some((run) => run.startsWith('undo:')),
    changes: harmless || runs.length > 0 ? ['as planned'] : [],
    blastRadius: [],
    notes: [],
  };
}

const at = '2026-03-01T14:05:00Z';
const { left: _, similar: __, ...bare } = questionCard();
/** States of a card. */
const stands: Readonly<Record<string, Partial<QuestionCard>>> = {
  'open, contained': questionCard(),
  'open, not contained': { ...bare, contained: [] },
  partial: { contained: questionCard().contained.map((held) => ({ ...held, state: 'partial' })) },
  expired: { status: { state: 'expired', at } },
  void: { status: { state: 'void', why: 'the pod was deleted by somebody else', at } },
};

/** `decided` depends on the question: by one of its choices. */
const cards = asked.flatMap(({ text, choices, onSilence }) => {
  const status = { state: 'decided', choice: choices[0]?.id ?? '', by: ['Ada Byron'], at } as const;
  return [...Object.values(stands), { status }].map((how) => questionCard({ ...how, text, choices, onSilence }));
});

function buttonsOf({ incident, questionId, questionDigest, choices }: QuestionCard): readonly StoredButton[] {
  const menu = [':details', ':snooze', ':comment'].map((id) => ({ id, label: id }));
  return [...choices, ...menu].map(({ id, label }) => ({
    buttonId: id,
    incident,
    question: questionId,
    questionDigest,
    choice: id,
    label,
    groups: [],
    requester: '',
  }));
}

function textsOf(blocks: readonly KnownBlock[]): readonly string[] {
  return blocks.flatMap((block) => {
    if (block.type === 'section') return [block.text?.text ?? ''];
    if (block.type === 'context') return block.elements.flatMap((element) => ('text' in element ? [element.text] : []));
    return [];
  });
}

/** Characters per line of Slack's phone client at 390 px, measured on its pictures: a context's small print has more. */
const onLine = { section: 46, context: 52, buttons: 41 } as const;

function wrapped(line: string, width: number): number {
  let [lines, used] = [1, 0];
  for (const word of line.split(' ')) {
    if (used > 0 && used + 1 + word.length > width) [lines, used] = [lines + 1, 0];
    used += (used > 0 ? 1 : 0) + word.length;
  }
  return lines;
}

/** Lines of text as a reader counts them, with all buttons as one; and the height: a line is 22 px, a row of buttons 40. */
function sizeOf(blocks: readonly KnownBlock[]): { readonly lines: number; readonly height: number } {
  let [lines, height] = [0, 0];
  for (const block of blocks) {
    if (block.type === 'actions') {
      // A button's edges are four letters wide.
      const names = block.elements.map((element) => (element.type === 'button' ? element.text.text : '⋯').replaceAll(' ', '_'));
      lines += 1;
      height += 40 * wrapped(names.map((name) => `${name}____`).join(' '), onLine.buttons);
      continue;
    }
    const width = block.type === 'context' ? onLine.context : onLine.section;
    const all = textsOf([block]).flatMap((text) => seen(text).split('\n'));
    const own = all.reduce((sum, line) => sum + wrapped(line, width), 0);
    lines += own;
    height += 22 * own + 4;
  }
  return { lines, height };
}

/** Text in the agreed answers that only a program could have put there. */
const simulated = /in this simulation|has it and|:serviceaccount:/;

describe('every card of the shipped playbooks', () => {
  test('is one of their questions', () => {
    expect(asked.length).toBeGreaterThan(70);
    expect(asked.every(({ text, choices }) => text !== '' && choices.every(({ id }) => id !== ''))).toBe(true);
  });

  test('fits on the first screen of a phone: at most 18 lines at 390 px, and no higher than Slack leaves of 844', () => {
    const long = cards
      .map((card) => ({ text: card.text, ...sizeOf(questionBlocks(card, { buttons: buttonsOf(card) }).blocks) }))
      .filter(({ lines, height }) => lines > 18 || height > 640);
    expect(long).toEqual([]);
  });

  test('shows no code identifiers, no kind before a name, and no machine-formatted time', () => {
    const found = cards.flatMap((card) => {
      const { text, blocks } = questionBlocks(card, { buttons: buttonsOf(card) });
      // Text in backticks is what ran.
      const all = [text, ...textsOf(blocks)].map((one) => seen(one.replaceAll(/`[^`]*`/g, ''))).join('\n');
      return simulated.test(all) ? [] : codeNames.flatMap((pattern) => pattern.exec(all)?.[0] ?? []);
    });
    expect([...new Set(found)]).toEqual([]);
  });

  test('reads as easily as a newspaper: grade 8 at most', () => {
    const hard = cards
      .map((card) => {
        const texts = textsOf(questionBlocks(card, { buttons: [] }).blocks).map((one) => one.replaceAll(/`[^`]*`/g, ''));
        return { text: card.text, grade: grade(seen(texts.join('\n'))) };
      })
      .filter((one) => one.grade > 8);
    expect(hard).toEqual([]);
  });

  test('says nothing twice', () => {
    for (const card of cards) {
      const lines = textsOf(questionBlocks(card, { buttons: [] }).blocks).flatMap((one) => one.split('\n'));
      expect(new Set(lines).size).toBe(lines.length);
    }
  });
});
