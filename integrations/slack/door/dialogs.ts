import { randomBytes } from 'node:crypto';
import type { RespondFn } from '@slack/bolt';
import type { ModalView } from '@slack/types';
import type { WebClient } from '@slack/web-api';
import { LRUCache } from 'lru-cache';
import type { CardStore, OpenModal } from '../../../core/cards/card-store.ts';
import { FirebreakError } from '../../../core/errors.ts';
import { callSlack } from '../client.ts';

const rememberedResponds = 1_000;

/** What a dialog is opened with: a click on a card, or a typed command. */
export interface Opening {
  /** Slack’s leave to open one, within 3 s. */
  readonly trigger?: string;
  readonly slackUser: string;
  readonly channel: string;
  readonly button?: { readonly buttonId: string };
  readonly messageTs?: string;
}

/** Opens dialogs. Each carries one random id: what it is about, and who may send it off, is remembered here. */
export class Dialogs {
  readonly #client: WebClient;
  readonly #cards: CardStore;
  readonly #now: () => number;
  /** A dialog that is sent off brings no way to answer: this is the one of the click that opened it. Gone with the process, as is no harm. */
  readonly #responds = new LRUCache<string, RespondFn>({ max: rememberedResponds });

  constructor(options: { readonly client: WebClient; readonly cards: CardStore; readonly now: () => number }) {
    this.#client = options.client;
    this.#cards = options.cards;
    this.#now = options.now;
  }

  /**
   * Within 3 s of the click, or Slack refuses.
   * @throws FB_ERR_UNAVAILABLE, FB_ERR_REFUSED.
   */
  async open(
    { trigger, slackUser, button, channel, messageTs }: Opening,
    respond: RespondFn | undefined,
    make: (modalId: string) => ModalView,
    about: Pick<OpenModal, 'draft' | 'asks'> = {},
  ): Promise<void> {
    if (trigger === undefined) throw new FirebreakError('FB_ERR_REFUSED', 'the click opens no dialog');
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

  /** It has been taken: sent off again, it is refused. */
  async spend(modal: OpenModal): Promise<void> {
    await this.#cards.saveModal({ ...modal, sentAt: this.#now() });
  }

  respondOf(modalId: string): RespondFn | undefined {
    return this.#responds.get(modalId);
  }
}
