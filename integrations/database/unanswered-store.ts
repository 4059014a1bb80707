import type { Unanswered, UnansweredStore } from '../../core/incident/unanswered.ts';
import type { Database } from './queries.ts';
import { textOf } from './row.ts';

export function createUnansweredStore(database: Database): UnansweredStore {
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
