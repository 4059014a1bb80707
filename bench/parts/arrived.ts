import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from '@temporalio/client';
import { incidentNames } from '../../core/incident/incident.ts';
import type { IncidentState } from '../../core/incident/incident-state.ts';
import { type ArrivedBatch, batchesOf, type RunName } from './delivered-load.ts';
import { numberIn } from './numbered-load.ts';

const mostTries = 120;

/** What became of a numbered load, according to its incidents. */
export interface Arrived {
  readonly incidents: number;
  /** Runs, if an incident ended and another began. */
  readonly runs: number;
  readonly counted: number;
  readonly lost: number;
  readonly twice: number;
  /** Alerts that arrived after one that was sent later, in the same incident. */
  readonly outOfOrder: number;
  /** When Temporal received the last batch that holds an alert from before `until`, milliseconds since 1970. */
  readonly lastAt: number;
}

/** Counts by what each incident's workflow reports (its `state`), and reads the order from the histories: what the workflow received, and when. */
export async function readArrived(options: {
  readonly client: Client;
  readonly prefix: string;
  /** Number of accepted alerts, by `NAMESPACE/POD RULE`. */
  readonly accepted: ReadonlyMap<string, number>;
  readonly until: number;
}): Promise<Arrived> {
  const { client, prefix, accepted, until } = options;
  const runs = await runsOf(client, prefix);
  const counts = new Map<string, number>();
  let outOfOrder = 0;
  let lastAt = 0;
  const left = [...runs.values()];
  const next = async (): Promise<void> => {
    for (let line = left.pop(); line; line = left.pop()) {
      const batches: ArrivedBatch[] = [];
      for (const run of line) {
        batches.push(...(await batchesOf(client, run)));
        for (const { rule, pod, count } of run.carriesOn ? [] : (await stateOf(client, run)).counts) {
          const key = `${pod} ${rule}`;
          counts.set(key, (counts.get(key) ?? 0) + count);
        }
      }
      outOfOrder += disorder(batches);
      for (const { batch, at } of batches)
        if (batch.counts.some(({ firstSeen }) => Date.parse(firstSeen) < until)) lastAt = Math.max(lastAt, at);
    }
  };
  await Promise.all(Array.from({ length: 16 }, next));
  const keys = [...new Set([...accepted.keys(), ...counts.keys()])];
  const differences = keys.map((key) => (counts.get(key) ?? 0) - (accepted.get(key) ?? 0));
  return {
    incidents: runs.size,
    runs: [...runs.values()].reduce((sum, line) => sum + line.length, 0),
    counted: [...counts.values()].reduce((sum, count) => sum + count, 0),
    lost: differences.reduce((sum, more) => sum + Math.max(0, -more), 0),
    twice: differences.reduce((sum, more) => sum + Math.max(0, more), 0),
    outOfOrder,
    lastAt,
  };
}

interface Run extends RunName {
  readonly startTime: Date;
  /** Its history was cut: the next run knows everything that it knew. */
  readonly carriesOn: boolean;
}

/** The runs of each incident, oldest first. */
async function runsOf(client: Client, prefix: string): Promise<ReadonlyMap<string, readonly Run[]>> {
  const runs = new Map<string, Run[]>();
  for await (const { workflowId, runId, startTime, status } of client.workflow.list({
    query: `WorkflowId STARTS_WITH '${prefix}'`,
  })) {
    const line = runs.get(workflowId) ?? [];
    line.push({ workflowId, runId, startTime, carriesOn: status.name === 'CONTINUED_AS_NEW' });
    runs.set(workflowId, line);
  }
  for (const line of runs.values()) line.sort((a, b) => a.startTime.getTime() - b.startTime.getTime());
  return runs;
}

/**
 * Not from the result of a run that has ended: the workflow answers a query in either case. While tasks of a run time out, as after a long backlog, Temporal
 * answers no query about it.
 */
async function stateOf(client: Client, { workflowId, runId }: RunName): Promise<IncidentState> {
  const handle = client.workflow.getHandle(workflowId, runId);
  for (let tries = 0; ; tries += 1) {
    try {
      return await handle.query<IncidentState>(incidentNames.stateQuery);
    } catch (error) {
      if (tries >= mostTries) throw error;
      await sleep(1_000);
    }
  }
}

/** A batch's counts are in the order of what they count. */
function disorder(batches: readonly ArrivedBatch[]): number {
  let highest = 0;
  let found = 0;
  for (const { batch } of batches) {
    for (const { rule, count } of batch.counts) {
      const number = numberIn(rule);
      // A rule that does not belong to the load has no number, so it is not in order either.
      if (!(number >= highest)) found += count;
      else highest = number;
    }
  }
  return found;
}
