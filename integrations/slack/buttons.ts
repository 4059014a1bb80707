import type { ActionsBlock, Button, Overflow } from '@slack/types';
import { cardMenu, type MenuEntry, type QuestionCard, type StoredButton } from '../../core/card.ts';
import { slackLimits, words } from './blocks.ts';
import { isGuarded } from './decision-view.ts';

/** In the choices' own order, always: nobody may hit "delete" where "release" was a moment ago. */
export function rows(card: QuestionCard, buttons: readonly StoredButton[]): ActionsBlock[] {
  const elements = card.choices.flatMap((choice, index): Button[] => {
    const button = buttons.find((one) => one.choice === choice.id);
    if (button === undefined) return [];
    return [
      {
        type: 'button',
        action_id: `${isGuarded(choice) ? 'fb_decide' : 'fb_vote'}${index}`,
        value: button.buttonId,
        text: words(choice.label, slackLimits.button),
        ...(choice.destructive ? { style: 'danger' as const } : {}),
      },
    ];
  });
  const result: ActionsBlock[] = [];
  for (let start = 0; start < elements.length; start += slackLimits.buttonsPerRow) {
    result.push({
      type: 'actions',
      block_id: `fb_vote_row${start / slackLimits.buttonsPerRow}`,
      elements: elements.slice(start, start + slackLimits.buttonsPerRow),
    });
  }
  const menu = menuOf(card, buttons);
  if (!menu) return result;
  const last = result.at(-1);
  if (last && last.elements.length < slackLimits.buttonsPerRow) last.elements.push(menu);
  else result.push({ type: 'actions', block_id: 'fb_more_row', elements: [menu] });
  return result;
}

function titleOf(entry: MenuEntry, { level, contained }: QuestionCard): string | undefined {
  switch (entry) {
    case ':details':
      return 'Details and timeline';
    case ':extend':
      return contained.some(({ until }) => until !== undefined) ? 'Extend the containment' : undefined;
    case ':snooze':
      return 'Ask me again in 15 minutes';
    case ':next':
      return level.next === undefined ? undefined : `Ask ${level.next} now`;
    case ':comment':
      return 'Comment';
  }
}

/** Behind the dots, so that no thumb hits it instead of an answer. */
function menuOf(card: QuestionCard, buttons: readonly StoredButton[]): Overflow | undefined {
  const options = cardMenu.flatMap((entry) => {
    const title = titleOf(entry, card);
    const value = buttons.find(({ choice }) => choice === entry)?.buttonId;
    return title === undefined || value === undefined ? [] : [{ text: words(title, slackLimits.button), value }];
  });
  return options.length === 0 ? undefined : { type: 'overflow', action_id: 'fb_more', options };
}
