import { condition, defineQuery, defineSignal, setHandler, workflowInfo } from '@temporalio/workflow';

const entry = defineSignal<[string]>('note');
const state = defineQuery<object>('state');

/** Has a timeline to watch, and ends with the entry `end`. Its result is its last state, like an incident's. */
export async function incident(): Promise<object> {
  const timeline = [{ at: '2026-06-01T10:00:00.000Z', kind: 'note', text: 'begin' }];
  const ended = (): boolean => timeline.at(-1)?.text === 'end';
  const current = (): object => ({ incident: { id: workflowInfo().workflowId }, open: !ended(), timeline });
  setHandler(entry, (text) => void timeline.push({ at: new Date().toISOString(), kind: 'note', text }));
  setHandler(state, current);
  await condition(ended);
  return current();
}
