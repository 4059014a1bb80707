import type { CardGroup, GroupButton, GroupStore } from '../../core/cards/card-group.ts';
import type { Database } from './queries.ts';
import { textOf } from './row.ts';

const hourMs = 3_600_000;

/** Fixed length, so that the database sorts times chronologically. */
const timeText = (ms: number): string => new Date(ms).toISOString();

/** Which questions share one card, and what its buttons were shown with. */
export function createGroupStore(database: Database): GroupStore {
  const groupIn = ([row]: Awaited<ReturnType<Database['all']>>): CardGroup | undefined =>
    row && (JSON.parse(textOf(row, 'group_json')) as CardGroup);
  const buttonsIn = (rows: Awaited<ReturnType<Database['all']>>): readonly GroupButton[] =>
    rows.map((row): GroupButton => JSON.parse(textOf(row, 'button_json')));
  return {
    saveGroup: async (group) => {
      const { groupId, likeness, begunAt, open } = group;
      await database.all(
        `INSERT INTO card_groups (group_id, likeness, begun_at, is_open, group_json) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (group_id) DO UPDATE SET is_open = excluded.is_open, group_json = excluded.group_json`,
        [groupId, likeness, timeText(begunAt), open ? 1 : 0, JSON.stringify(group)],
      );
    },
    group: async (groupId) => groupIn(await database.all('SELECT group_json FROM card_groups WHERE group_id = $1', [groupId])),
    openGroup: async (likeness) =>
      groupIn(
        await database.all(
          'SELECT group_json FROM card_groups WHERE likeness = $1 AND is_open = 1 ORDER BY begun_at DESC LIMIT 1',
          [likeness],
        ),
      ),
    saveGroupButtons: (buttons) =>
      database.transaction(async (queries) => {
        for (const button of buttons) {
          const { buttonId, groupId, shownAt } = button;
          const old = [groupId, timeText(shownAt - hourMs)];
          await queries.all('DELETE FROM card_group_buttons WHERE group_id = $1 AND shown_at < $2', old);
          await queries.all(
            'INSERT INTO card_group_buttons (button_id, group_id, shown_at, button_json) VALUES ($1, $2, $3, $4)',
            [buttonId, groupId, timeText(shownAt), JSON.stringify(button)],
          );
        }
      }),
    groupButtons: async (groupId) =>
      buttonsIn(
        await database.all(
          `SELECT button_json FROM card_group_buttons WHERE group_id = $1
             AND shown_at = (SELECT MAX(shown_at) FROM card_group_buttons WHERE group_id = $1)`,
          [groupId],
        ),
      ),
    groupButton: async (buttonId) =>
      buttonsIn(await database.all('SELECT button_json FROM card_group_buttons WHERE button_id = $1', [buttonId]))[0],
  };
}
