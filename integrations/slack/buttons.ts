import type { ActionsBlock, Button } from '@slack/types';
import type { QuestionCard, StoredButton } from '../../core/card.ts';
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
  return result;
}
