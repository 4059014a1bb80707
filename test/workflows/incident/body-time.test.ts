import { expect, test } from '@jest/globals';
import { BodyTime } from '../../../workflows/incident/body-time.ts';
import { setWorld, type World } from '../../../workflows/world.ts';

test('a body that sleeps in an incident whose history has become too long is woken, and the record says until when it wanted to sleep', async () => {
  const now = Date.parse('2026-01-01T00:00:00.000Z');
  let historyLength = 19_999;
  const looks: boolean[] = [];
  const condition = async (holds: () => boolean): Promise<boolean> => {
    looks.push(holds());
    historyLength += 1;
    return holds();
  };
  setWorld(() => ({ now: () => now, condition, info: () => ({ historyLength }) }) as unknown as World);
  const records: unknown[][] = [];
  const body = { state: { playbook: 'firebreak/sleeper' } };
  const parts = { model: { record: (...record: unknown[]) => records.push(record) }, body, onSleep: () => {} };
  const time = new BodyTime(parts as unknown as ConstructorParameters<typeof BodyTime>[0]);
  expect(await time.sleep('10d')).toBe('woken');
  expect(looks).toEqual([false]);
  const text = "playbook firebreak/sleeper is woken before 2026-01-11T00:00:00.000Z: the incident's history is too long";
  expect(records).toEqual([['playbook.woken', 'engine', text]]);
  expect(body.state).toEqual({ playbook: 'firebreak/sleeper' });
});
