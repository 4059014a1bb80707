import type { ShownCard, StoredButton } from '../../core/cards/card.ts';
import type { CardStore, OpenModal } from '../../core/cards/card-store.ts';
import { FirebreakError } from '../../core/errors.ts';
import { type ClickReply, mostAnswers, type ReplyStore } from '../../core/incident/click-reply.ts';
import { subjectOfIncident } from '../../core/incident/incident.ts';
import type { Unanswered, UnansweredStore } from '../../core/incident/unanswered.ts';
import { createGroupStore } from './group-store.ts';
import type { Database, Queries, Row } from './queries.ts';
import { textOf } from './row.ts';

const dayMs = 86_400_000;
const mostOpenCards = 1_000;

/**
 * A choice of a question keeps the same button, until it is asked anew in other words. Saving it again, after a crash or for the next level, keeps its id and updates the rest: call
 * `buttonsOf` afterwards, and show the ids that it returns.
 */
export function createCardStore(database: Database): CardStore {
  return {
    ...createGroupStore(database),
    ...createUnansweredStore(database),
    ...createReplyStore(database),
    saveButtons: (buttons) =>
      database.transaction(async (queries) => {
        for (const [place, button] of buttons.entries()) await saveButton(queries, button, place);
      }),
    replaceButtons: (buttons) =>
      database.transaction(async (queries) => {
        for (const button of buttons) await replaceButton(queries, button);
      }),
    button: async (buttonId) => {
      const [row] = await database.all('SELECT * FROM card_buttons WHERE button_id = $1', [buttonId]);
      return row && buttonFromRow(row);
    },
    buttonsOf: async (question) =>
      (await database.all('SELECT * FROM card_buttons WHERE question = $1 ORDER BY place', [question])).map(buttonFromRow),
    saveMessage: async (key, { channel, ts }) => {
      await database.all(
        `INSERT INTO card_messages (message_key, channel, ts) VALUES ($1, $2, $3)
         ON CONFLICT (message_key) DO UPDATE SET channel = excluded.channel, ts = excluded.ts`,
        [key, channel, ts],
      );
    },
    message: async (key) => {
      const [row] = await database.all('SELECT channel, ts FROM card_messages WHERE message_key = $1', [key]);
      return row && { channel: textOf(row, 'channel'), ts: textOf(row, 'ts') };
    },
    forgetMessage: async (key) => {
      await database.all('DELETE FROM card_messages WHERE message_key = $1', [key]);
    },
    saveCard: async (shown) => {
      await database.all(
        `INSERT INTO card_shown (question, shown_json, is_open) VALUES ($1, $2, $3)
         ON CONFLICT (question) DO UPDATE SET shown_json = excluded.shown_json, is_open = excluded.is_open`,
        [shown.card.questionId, JSON.stringify(shown), shown.card.status.state === 'open' ? 1 : 0],
      );
    },
    card: async (question) => {
      const [row] = await database.all('SELECT shown_json FROM card_shown WHERE question = $1', [question]);
      if (!row) return undefined;
      const shown: ShownCard = JSON.parse(textOf(row, 'shown_json'));
      return shown;
    },
    openCards: async () => {
      const rows = await database.all('SELECT shown_json FROM card_shown WHERE is_open = 1 LIMIT $1', [mostOpenCards]);
      return rows.map((row): ShownCard => JSON.parse(textOf(row, 'shown_json')));
    },
    saveModal: async (modal) => {
      const openedAt = new Date(modal.openedAt).toISOString();
      const yesterday = new Date(modal.openedAt - dayMs).toISOString();
      await database.all('DELETE FROM card_modals WHERE opened_at < $1', [yesterday]);
      await database.all(
        `INSERT INTO card_modals (modal_id, opened_at, modal_json) VALUES ($1, $2, $3)
         ON CONFLICT (modal_id) DO UPDATE SET modal_json = excluded.modal_json`,
        [modal.modalId, openedAt, JSON.stringify(modal)],
      );
    },
    modal: async (modalId) => {
      const [row] = await database.all('SELECT modal_json FROM card_modals WHERE modal_id = $1', [modalId]);
      if (!row) return undefined;
      const modal: OpenModal = JSON.parse(textOf(row, 'modal_json'));
      return modal;
    },
  };
}

/**
 * A proposal above all incidents is asked again by each run of the control workflow that takes it over.
 * @throws FB_ERR_CONFLICT if the question belongs to another incident: one person's click must never decide elsewhere.
 */
async function saveButton(queries: Queries, button: StoredButton, place: number): Promise<void> {
  const { buttonId, incident, question, questionDigest, choice, label, groups, requester } = button;
  const saved = await queries.all(
    `INSERT INTO card_buttons
       (button_id, incident_id, incident_run, question, question_digest, choice, place, label, groups_json, requester)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
     ON CONFLICT (question, choice) DO UPDATE SET
       incident_run = excluded.incident_run, question_digest = excluded.question_digest, place = excluded.place, label = excluded.label,
       groups_json = excluded.groups_json, requester = excluded.requester
     WHERE card_buttons.incident_id = excluded.incident_id AND ($11 = 1 OR card_buttons.incident_run = excluded.incident_run)
     RETURNING button_id`,
    [
      ...[buttonId, incident.id, incident.run, question, questionDigest, choice, place, label, JSON.stringify(groups), requester],
      subjectOfIncident(incident.id) === undefined ? 1 : 0,
    ],
  );
  if (saved.length === 0) throw new FirebreakError('FB_ERR_CONFLICT', `question ${question} belongs to another incident`);
}

/** @throws FB_ERR_CONFLICT if there is no such button of this incident: only what was asked can be asked anew. */
async function replaceButton(queries: Queries, button: StoredButton): Promise<void> {
  const { buttonId, incident, question, questionDigest, choice, label } = button;
  const replaced = await queries.all(
    `UPDATE card_buttons SET button_id = $1, question_digest = $2, label = $3
     WHERE question = $4 AND choice = $5 AND incident_id = $6 AND incident_run = $7
     RETURNING button_id`,
    [buttonId, questionDigest, label, question, choice, incident.id, incident.run],
  );
  if (replaced.length === 0) throw new FirebreakError('FB_ERR_CONFLICT', `question ${question} has no such answer`);
}

function buttonFromRow(row: Row): StoredButton {
  const groups: unknown = JSON.parse(textOf(row, 'groups_json'));
  return {
    buttonId: textOf(row, 'button_id'),
    incident: { id: textOf(row, 'incident_id'), run: textOf(row, 'incident_run') },
    question: textOf(row, 'question'),
    questionDigest: textOf(row, 'question_digest'),
    choice: textOf(row, 'choice'),
    label: textOf(row, 'label'),
    groups: Array.isArray(groups) ? groups.filter((group) => typeof group === 'string') : [],
    requester: textOf(row, 'requester'),
  };
}

function createReplyStore(database: Database): ReplyStore {
  return {
    saveReply: async (reply) => {
      await database.all('DELETE FROM click_replies WHERE at < $1', [new Date(reply.at - dayMs).toISOString()]);
      await database.all(
        `INSERT INTO click_replies (click, at, answers, reply_json) VALUES ($1, $2, 0, $3)
         ON CONFLICT (click) DO UPDATE SET reply_json = excluded.reply_json`,
        [reply.click, new Date(reply.at).toISOString(), JSON.stringify(reply)],
      );
    },
    reply: async (click) => {
      const [row] = await database.all('SELECT reply_json FROM click_replies WHERE click = $1 AND answers < $2', [
        click,
        mostAnswers,
      ]);
      if (!row) return undefined;
      const reply: ClickReply = JSON.parse(textOf(row, 'reply_json'));
      return reply;
    },
    wasAnswered: async (click) =>
      (await database.all('SELECT click FROM click_replies WHERE click = $1 AND answers > 0', [click])).length > 0,
    answered: async (click) => {
      await database.all('UPDATE click_replies SET answers = answers + 1 WHERE click = $1', [click]);
    },
  };
}

function createUnansweredStore(database: Database): UnansweredStore {
  return {
    saveUnanswered: async (one) => {
      await database.all('INSERT INTO slack_unanswered (id, at, unanswered_json) VALUES ($1, $2, $3)', [
        one.id,
        new Date(one.at).toISOString(),
        JSON.stringify(one),
      ]);
    },
    forgetUnanswered: async (id) => {
      await database.all('DELETE FROM slack_unanswered WHERE id = $1', [id]);
    },
    takeUnanswered: async (before) => {
      const rows = await database.all('DELETE FROM slack_unanswered WHERE at < $1 RETURNING unanswered_json', [
        new Date(before).toISOString(),
      ]);
      return rows.map((row): Unanswered => JSON.parse(textOf(row, 'unanswered_json')));
    },
  };
}
