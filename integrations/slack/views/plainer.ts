import type { KnownBlock } from '@slack/types';
import { section, words } from './blocks.ts';

/**
 * The same message in plainer form, if Slack rejected it: the notification's text, which names target, state and deadline, and the buttons. It includes nothing
 * from the alert except that text.
 */
export function plainer({ text, blocks }: { readonly text: string; readonly blocks: readonly KnownBlock[] }): {
  readonly text: string;
  readonly blocks: KnownBlock[];
} {
  return {
    text,
    blocks: [
      { type: 'section', text: words(text, 2_900) },
      section('_Slack did not accept the whole message._ `/firebreak questions` and `/firebreak show` show the rest.'),
      ...blocks.filter(({ type }) => type === 'actions'),
    ],
  };
}
