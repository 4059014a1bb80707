import { randomBytes } from 'node:crypto';
import type { RespondFn } from '@slack/bolt';
import type { ModalView } from '@slack/types';
import type { WebClient } from '@slack/web-api';
import { LRUCache } from 'lru-cache';
import type { CardStore, OpenModal } from '../../../core/cards/card-store.ts';
import { FirebreakError } from '../../../core/errors.ts';
import { callSlack } from '../client.ts';

const rememberedResponds = 1_000;

/** What a dialog opens from: a click on a card, or a typed command. */
export interface Opening {
  /** Slack’s permission to open one dialog, within 3 s. */
  readonly trigger?: string;
  readonly slackUser: string;
  readonly channel: string;
  readonly button?: { readonly buttonId: string };
  readonly messageTs?: string;
}

/** Opens dialogs. Each carries one random id; its subject, and who may submit it, are stored here. */
export class Dialogs {
  readonly #client: WebClient;
  readonly #cards: CardStore;
  readonly #now: () => number;
  /** A submitted dialog has no `respond` of its own, so the one of the click that opened it is kept. Losing it with the process does no harm. */
  readonly #responds = new LRUCache<string, RespondFn>({ max: rememberedResponds });

  constructor(options: { readonly client: WebClient; readonly cards: CardStore; readonly now: () => number }) {
    this.#client = options.client;
    this.#cards = options.cards;
    this.#now = options.now;
  }

  /**
   * Must be called within 3 s of the click, or Slack refuses.
   * @throws FB_ERR_UNAVAILABLE, FB_ERR_REFUSED.
   */
  async open(
    { trigger, slackUser, button, channel, messageTs }: Opening,
    respond: RespondFn | undefined,
    make: (modalId: string) => ModalView,
    about: Pick<OpenModal, 'draft' | 'asks'> = {},
  ): Promise<void> {
    if (trigger === undefined) throw new FirebreakError('FB_ERR_REFUSED', 'the click cannot open a dialog');
    const modal: OpenModal = {
      modalId: `m_${randomBytes(18).toString('base64url')}`,
      ...(button && { buttonId: button.buttonId }),
      slackUser,
      channel,
      ...(messageTs === undefined ? {} : { messageTs }),
      openedAt: this.#now(),
      ...about,
    };
    await this.#cards.saveModal(modal);
    if (respond) this.#responds.set(modal.modalId, respond);
    const { view } = await callSlack('views.open', () =>
      this.#client.views.open({ trigger_id: trigger, view: make(modal.modalId) }),
    );
    if (view?.id !== undefined) await this.#cards.saveModal({ ...modal, viewId: view.id });
  }

  /** Marks the dialog as accepted: a second submission is refused. */
  async spend(modal: OpenModal): Promise<void> {
    await this.#cards.saveModal({ ...modal, sentAt: this.#now() });
  }

  respondOf(modalId: string): RespondFn | undefined {
    return this.#responds.get(modalId);
  }
}
