import type { RespondFn } from '@slack/bolt';
import type { OrderDraft } from '../../../core/cards/card-store.ts';
import { codeOf } from '../../../core/errors.ts';
import { type ClickRefusal, refusalAnswers } from '../refusal.ts';
import { section } from '../views/blocks.ts';
import { chunks, plain } from '../views/text.ts';
import type { Arrived } from './arrived.ts';
import { checkCommand, type SlashCommand } from './command.ts';
import type { OrderDialogs } from './order-dialogs.ts';
import type { SenderChecks } from './sender.ts';
import { checkShortcut, isShortcut, type Shortcut } from './shortcut.ts';

/** The answer: mrkdwn, escaped already, or a dialog. */
type CommandAnswer = { readonly mrkdwn: string } | { readonly opens: OrderDraft };

export interface CommandHandlers {
  /** Handles a slash command from a member of the workspace. Its answer is shown only to the person who typed it. */
  readonly onCommand: (command: SlashCommand) => Promise<CommandAnswer>;
  /** The same for the message shortcut. */
  readonly onShortcut: (shortcut: Shortcut) => Promise<CommandAnswer>;
}

interface CommandDoorParts extends CommandHandlers {
  readonly orders: OrderDialogs;
  readonly sender: SenderChecks;
  readonly refused: (refusal: ClickRefusal) => void;
  readonly log: (message: string, facts: Readonly<Record<string, string>>) => void;
}

/** Handles questions and orders made without a card. Only the person who made them sees the answer. */
export class CommandDoor {
  readonly #parts: CommandDoorParts;

  constructor(parts: CommandDoorParts) {
    this.#parts = parts;
  }

  async take({ body, respond }: Arrived): Promise<void> {
    const text = isShortcut(body) ? await this.#shortcut(body, respond) : await this.#command(body, respond);
    if (text === undefined) return;
    const blocks = chunks(text).slice(0, 4).map(section);
    await respond?.({ response_type: 'ephemeral', replace_original: false, text: plain(text, 200), blocks }).catch(() =>
      this.#parts.log('command not answered', { error: 'FB_ERR_UNAVAILABLE' }),
    );
  }

  async #command(body: unknown, respond: RespondFn | undefined): Promise<string | undefined> {
    const { sender, onCommand } = this.#parts;
    const checked = await checkCommand(body, sender);
    if (!checked.ok) return this.#refuse(checked.refusal);
    return this.#answer(checked.command, respond, () => onCommand(checked.command));
  }

  async #shortcut(body: unknown, respond: RespondFn | undefined): Promise<string | undefined> {
    const { sender, onShortcut } = this.#parts;
    const checked = await checkShortcut(body, sender);
    if (!checked.ok) return this.#refuse(checked.refusal);
    return this.#answer(checked.shortcut, respond, () => onShortcut(checked.shortcut));
  }

  #refuse(refusal: ClickRefusal): string {
    this.#parts.refused(refusal);
    return refusalAnswers[refusal.reason];
  }

  /** Returns undefined if the answer is a dialog. */
  async #answer(
    opening: Parameters<OrderDialogs['open']>[0],
    respond: RespondFn | undefined,
    ask: () => Promise<CommandAnswer>,
  ): Promise<string | undefined> {
    const { orders, log } = this.#parts;
    try {
      const answer = await ask();
      if ('mrkdwn' in answer) return answer.mrkdwn;
      await orders.open(opening, respond, answer.opens);
      return undefined;
    } catch (error) {
      log('command not handled', { error: codeOf(error) });
      return `That did not work (${codeOf(error)}). Try again.`;
    }
  }
}
