import type { ModalView } from '@slack/types';
import type { QuestionCard } from '../../../core/cards/card.ts';
import { section, words } from './blocks.ts';
import { inline } from './text.ts';

export const commentBlock = 'fb_comment';
const longestComment = 1_000;

export function commentView(card: QuestionCard, modalId: string): ModalView {
  return {
    type: 'modal',
    callback_id: 'fb_comment',
    private_metadata: modalId,
    title: words('Comment', 24),
    submit: words('Send', 24),
    close: words('Go back', 24),
    blocks: [
      section(inline(card.text, 600)),
      {
        type: 'input',
        block_id: commentBlock,
        label: words('What should the others know?', 100),
        hint: words('It goes into the incident’s thread and on the record. It decides nothing.', 150),
        element: {
          type: 'plain_text_input',
          action_id: 'fb_text',
          multiline: true,
          min_length: 1,
          max_length: longestComment,
          focus_on_load: true,
        },
      },
    ],
  };
}
