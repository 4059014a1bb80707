import type { ClickOptions } from './interaction.ts';
import type { Block, Button, Overflow } from './methods/block-schema.ts';
import type { FakeMessage } from './world.ts';

/** The target of this click: in the newest message that has it. Throws if there is none. */
export function pressedBy(
  { channel, ts, buttonText, actionId, value, optionText, option, forge }: ClickOptions,
  messages: readonly FakeMessage[],
): Clicked {
  const candidates = messages.filter(
    (message) => (channel === undefined || message.channel === channel) && (ts === undefined || message.ts === ts),
  );
  if (forge?.inventedValue !== undefined) {
    const message = candidates.at(-1);
    if (message === undefined) throw new Error('no message to click in');
    const id = 'fb_vote0';
    const text = { type: 'plain_text', text: 'Invented' };
    return {
      message,
      blockId: 'invented',
      actionId: id,
      action: { type: 'button', action_id: id, text, value: forge.inventedValue },
    };
  }
  for (const message of candidates.toReversed()) {
    for (const block of message.blocks ?? []) {
      const found =
        optionText === undefined && option === undefined
          ? buttonIn(block, { buttonText, actionId, value })
          : entryIn(block, { optionText, option, actionId });
      if (found) return { message, blockId: block.block_id ?? '', ...found };
    }
  }
  throw new Error(`no such button: ${buttonText ?? optionText ?? actionId ?? value ?? 'any'}`);
}

interface Pressed {
  readonly actionId: string;
  /** As in the payload, without block and time. */
  readonly action: Readonly<Record<string, unknown>>;
}

export interface Clicked extends Pressed {
  readonly message: FakeMessage;
  readonly blockId: string;
}

type Wanted = { readonly [Name in 'buttonText' | 'optionText' | 'option' | 'actionId' | 'value']?: string | undefined };

function buttonIn(block: Block, { buttonText, actionId, value }: Wanted): Pressed | undefined {
  const button = elementsIn(block)
    .filter((element) => element.type === 'button')
    .find(
      (one) =>
        (buttonText === undefined || one.text.text === buttonText) &&
        (actionId === undefined || one.action_id === actionId) &&
        (value === undefined || one.value === value),
    );
  if (button === undefined) return undefined;
  const { action_id: id = '', text, ...rest } = button;
  return { actionId: id, action: { ...rest, action_id: id, text: { emoji: false, ...text } } };
}

function entryIn(block: Block, { optionText, actionId, option: wanted }: Wanted): Pressed | undefined {
  for (const element of elementsIn(block)) {
    if (element.type !== 'overflow' || (actionId !== undefined && element.action_id !== actionId)) continue;
    const option = element.options.find(
      (one) => (wanted === undefined || one.value === wanted) && (optionText === undefined || one.text.text === optionText),
    );
    const id = element.action_id ?? '';
    if (option) return { actionId: id, action: { type: 'overflow', action_id: id, selected_option: option } };
  }
  return undefined;
}

function elementsIn(block: Block): readonly (Button | Overflow)[] {
  const elements = block.type === 'actions' ? block.elements : block.type === 'section' ? [block.accessory] : [];
  return elements.filter((element) => element?.type === 'button' || element?.type === 'overflow');
}
