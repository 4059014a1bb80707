import type { ActionsBlock, Button, Overflow } from '@slack/types';
import { cardMenu, type MenuEntry, type QuestionCard, type StoredButton } from '../../../core/cards/card.ts';
import { needsDialog } from '../../../core/cards/guarded-choice.ts';
import { slackLimits, words } from './blocks.ts';

/** In the choices' own order, always: nobody may hit "delete" where "release" was a moment ago. */
export function rows(card: QuestionCard, buttons: readonly StoredButton[]): ActionsBlock[] {
  const elements = card.choices.flatMap((choice, index): Button[] => {
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
  const result: ActionsBlock[] = [];
  for (let start = 0; start < elements.length; start += slackLimits.buttonsPerRow) {
    result.push({
      type: 'actions',
      block_id: `fb_vote_row${start / slackLimits.buttonsPerRow}`,
      elements: elements.slice(start, start + slackLimits.buttonsPerRow),
    });
  }
  const menus = menusOf(card, buttons);
  if (menus.length === 0) return result;
  const last = result.at(-1);
  if (last && last.elements.length + menus.length <= slackLimits.buttonsPerRow) last.elements.push(...menus);
  else result.push({ type: 'actions', block_id: 'fb_more_row', elements: [...menus] });
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
    case ':suppress':
      return 'False positive: suppress …';
  }
}

/** Behind the dots, so that no thumb hits it instead of an answer. Slack takes five entries a menu: what opens a dialog to write in goes apart. */
function menusOf(card: QuestionCard, buttons: readonly StoredButton[]): readonly Overflow[] {
  const options = cardMenu.flatMap((entry) => {
    const title = titleOf(entry, card);
    const value = buttons.find(({ choice }) => choice === entry)?.buttonId;
    return title === undefined || value === undefined ? [] : [{ text: words(title, slackLimits.button), value }];
  });
  const parts = options.length > slackLimits.menu ? [options.slice(0, -2), options.slice(-2)] : [options];
  return parts.flatMap((part, index) =>
    part.length === 0 ? [] : [{ type: 'overflow', action_id: `fb_more${index === 0 ? '' : index}`, options: part }],
  );
}
