import { condition, defineSignal, setHandler } from '@temporalio/workflow';
import type { AlertBatch, IncidentStart } from '../../../core/incident/incident.ts';

/** Stands for an incident with an open question: takes its alerts and waits. What it received is counted from its history. */
export async function incident(_start: IncidentStart): Promise<void> {
  setHandler(defineSignal<[AlertBatch]>('alerts'), () => {});
  await condition(() => false);
}
