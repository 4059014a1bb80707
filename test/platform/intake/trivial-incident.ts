import { condition, defineQuery, defineSignal, setHandler } from '@temporalio/workflow';
import type { AlertBatch, IncidentStart } from '../../../core/incident/incident.ts';

const alerts = defineSignal<[AlertBatch]>('alerts');
const finish = defineSignal('finish');
const state = defineQuery<{ total: number; batches: number; samples: number }>('state');

/** Counts like the incident workflow: each batch once. It waits, as during an open question. */
export async function incident({ batch }: IncidentStart): Promise<void> {
  const seen = new Set<string>();
  let total = 0;
  let samples = 0;
  let over = false;
  const join = ({ id, counts, alerts: whole }: AlertBatch): void => {
    if (seen.has(id)) return;
    seen.add(id);
    samples += whole.length;
    for (const { count } of counts) total += count;
  };
  setHandler(alerts, join);
  setHandler(finish, () => {
    over = true;
  });
  setHandler(state, () => ({ total, batches: seen.size, samples }));
  join(batch);
  await condition(() => over);
}
