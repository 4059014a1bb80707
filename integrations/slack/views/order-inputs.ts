import type { InputBlock, PlainTextOption } from '@slack/types';
import { reasonLengths } from '../../../core/text/reason.ts';
import { words } from './blocks.ts';

export const reasonBlock = 'fb_reason';

/** The values filled in, or errors by block: shown in the dialog, which stays open. */
export type FormResult<Filled> =
  | { readonly ok: true; readonly filled: Filled }
  | { readonly ok: false; readonly errors: Readonly<Record<string, string>> };

export function selectInput(input: {
  readonly id: string;
  readonly label: string;
  readonly hint?: string;
  readonly options: readonly PlainTextOption[];
  readonly chosen: number;
}): InputBlock {
  const { id, label, hint, options, chosen } = input;
  const initial = options[chosen];
  return {
    type: 'input',
    block_id: id,
    label: words(label, 100),
    ...(hint === undefined ? {} : { hint: words(hint, 150) }),
    element: {
      type: 'static_select',
      action_id: 'fb_pick',
      options: [...options],
      ...(initial && { initial_option: initial }),
    },
  };
}

export function reasonInput(label: string, hint: string, typed?: string): InputBlock {
  return {
    type: 'input',
    block_id: reasonBlock,
    label: words(label, 100),
    hint: words(hint, 150),
    element: {
      type: 'plain_text_input',
      action_id: 'fb_text',
      multiline: true,
      min_length: reasonLengths.min,
      max_length: reasonLengths.max,
      ...(typed === undefined ? {} : { initial_value: typed.slice(0, reasonLengths.max) }),
    },
  };
}
