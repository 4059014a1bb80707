import type { ActionsBlock, Button, Overflow } from '@slack/types';
import { cardMenu, type MenuEntry, type QuestionCard, type StoredButton } from '../../../core/cards/card.ts';
import { needsDialog } from '../../../core/cards/guarded-choice.ts';
import { slackLimits, words } from './blocks.ts';

/** Always shows the answers in the choices' own order: nobody may hit "delete" where "release" was a moment ago. Then the details, and the menu. */
export function rows(card: QuestionCard, buttons: readonly StoredButton[]): ActionsBlock[] {
  const elements = [...answers(card, buttons), ...details(card, buttons), ...menusOf(card, buttons)];
  const result: ActionsBlock[] = [];
  for (let start = 0; start < elements.length; start += slackLimits.buttonsPerRow) {
    result.push({
      type: 'actions',
      block_id: `fb_vote_row${start / slackLimits.buttonsPerRow}`,
      elements: elements.slice(start, start + slackLimits.buttonsPerRow),
    });
  }
  return result;
}

function answers(card: QuestionCard, buttons: readonly StoredButton[]): Button[] {
  if (card.status.state !== 'open') return [];
  return card.choices.flatMap((choice, index): Button[] => {
    const button = buttons.find((one) => one.choice === choice.id);
    if (button === undefined) return [];
    return [
      {
        type: 'button',
        action_id: `${needsDialog(choice) ? 'fb_decide' : 'fb_vote'}${index}`,
        value: button.buttonId,
        text: words(choice.label, slackLimits.button),
        ...(choice.destructive ? { style: 'danger' as const } : {}),
      },
    ];
  });
}

/** Details can be read as long as the card exists, and containment can be extended as long as it lasts. */
function details({ status, contained }: QuestionCard, buttons: readonly StoredButton[]): Button[] {
  const button = (entry: MenuEntry, title: string, id: string): Button[] => {
    const value = buttons.find(({ choice }) => choice === entry)?.buttonId;
    return value === undefined ? [] : [{ type: 'button', action_id: id, value, text: words(title, slackLimits.button) }];
  };
  const isHeld = contained.some(({ until }) => until !== undefined);
  return [
    ...(status.state === 'expired' && isHeld ? button(':extend', 'Extend containment', 'fb_more3') : []),
    ...button(':details', 'Details', 'fb_more2'),
  ];
}

function titleOf(entry: MenuEntry, { level, contained }: QuestionCard): string | undefined {
  switch (entry) {
    case ':details':
      return undefined;
    case ':extend':
      return contained.some(({ until }) => until !== undefined) ? 'Extend containment' : undefined;
    case ':snooze':
      return 'Remind me in 15 minutes';
    case ':next':
      return level.next === undefined ? undefined : `Ask ${level.next} now`;
    case ':comment':
      return 'Comment';
    case ':suppress':
      return 'False alarm: suppress …';
  }
}

/** Behind the dots, so that no thumb hits it instead of an answer. Slack accepts five entries per menu. */
function menusOf(card: QuestionCard, buttons: readonly StoredButton[]): readonly Overflow[] {
  if (card.status.state !== 'open') return [];
  const options = cardMenu.flatMap((entry) => {
    const title = titleOf(entry, card);
    const value = buttons.find(({ choice }) => choice === entry)?.buttonId;
    return title === undefined || value === undefined ? [] : [{ text: words(title, slackLimits.button), value }];
  });
  return options.length === 0 ? [] : [{ type: 'overflow', action_id: 'fb_more', options }];
}
