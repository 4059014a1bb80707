import { type ClickReply, mostAnswers, type ReplyStore } from '../../core/incident/click-reply.ts';
import type { Database } from './queries.ts';
import { textOf } from './row.ts';

const dayMs = 86_400_000;

export function createReplyStore(database: Database): ReplyStore {
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
    answered: async (click) => {
      await database.all('UPDATE click_replies SET answers = answers + 1 WHERE click = $1', [click]);
    },
  };
}
