import { setTimeout as sleep } from 'node:timers/promises';
import { type Client, WorkflowNotFoundError } from '@temporalio/client';
import type { RunLookup } from '../../../activities/control/evidence-orders.ts';
import type { KnownOfIncident } from '../../../activities/memory/incident-memory.ts';
import { controlNames } from '../../../core/decide/control.ts';
import { FirebreakError } from '../../../core/errors.ts';
import { type IncidentRef, incidentNames } from '../../../core/incident/incident.ts';
import type { IncidentState } from '../../../core/incident/incident-state.ts';
import { controlIdOf } from '../../../core/orders/order.ts';
import { isOpenRun } from '../../temporal/held-up-runs.ts';
import { resultOfRun } from '../../temporal/speaker.ts';

const callMs = 10_000;
const lookEveryMs = 3_600_000;

/** What the cell and Temporal know about the runs whose evidence is stored. */
export class EvidenceWindow {
  readonly #known: (run: IncidentRef) => KnownOfIncident;
  #client: Client | undefined;
  /** Whether the cell itself knows of no end of that run: Temporal can be made to claim that it has ended. */
  isOpen: (incident: string, run: string) => boolean = () => false;

  /** @param known what this cell itself has heard about a run */
  constructor(known: (run: IncidentRef) => KnownOfIncident) {
    this.#known = known;
  }

  /** Call this once Temporal is available. */
  open(client: Client): void {
    this.#client = client;
  }

  readonly runOf: RunLookup = async ({ incident, run }) => {
    const client = this.#client;
    const openHere = this.isOpen(incident, run);
    const named = this.#known({ id: incident, run }).actors;
    if (!client) throw new FirebreakError('FB_ERR_UNAVAILABLE', 'Temporal has not answered yet');
    try {
      // An incident continues as new runs; stored evidence names its first run.
      const newest = await client.withDeadline(Date.now() + callMs, () => client.workflow.getHandle(incident).describe());
      const isNewest = newest.raw.workflowExecutionInfo?.firstRunId === run;
      const open = openHere || (isNewest && isOpenRun(newest));
      const actors = async () => [
        ...new Set([...named, ...(await actorsOf(client, { incident, first: run, ...(!isNewest && { run }) }))]),
      ];
      return { open, actors };
    } catch (error) {
      if (error instanceof WorkflowNotFoundError)
        return openHere || named.length > 0 ? { open: openHere, actors: async () => named } : undefined;
      throw new FirebreakError('FB_ERR_UNAVAILABLE', `cannot find out from Temporal whether ${incident} is open`);
    }
  };
}

/** Empty if Temporal no longer knows anything about it. @throws FB_ERR_UNAVAILABLE */
async function actorsOf(
  client: Client,
  { incident, run, first }: { readonly incident: string; readonly run?: string; readonly first: string },
): Promise<readonly string[]> {
  const handle = client.workflow.getHandle(incident, run);
  try {
    return await client.withDeadline(Date.now() + callMs, async () => {
      const { status } = await handle.describe();
      // The result is that of the last run, after all continuations as new.
      const hasEnded = status.name === 'COMPLETED' || status.name === 'CONTINUED_AS_NEW';
      const state: IncidentState = hasEnded
        ? await resultOfRun(handle, incidentNames.workflow, first)
        : await handle.query(incidentNames.stateQuery);
      return state.actors ?? [];
    });
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return [];
    throw new FirebreakError(
      'FB_ERR_UNAVAILABLE',
      `cannot find out from Temporal who is named as the actor in the alerts of ${incident}`,
    );
  }
}

/** Asks the control workflow at the start, and every hour, to destroy evidence past its retention. Ends with `signal`. Never rejects. */
export async function expireEvidence(options: {
  readonly client: Client;
  readonly cluster: string;
  readonly everyMs?: number;
  readonly signal: AbortSignal;
}): Promise<void> {
  const { client, cluster, everyMs = lookEveryMs, signal } = options;
  while (!signal.aborted) {
    const asked = await client
      .withDeadline(Date.now() + callMs, () =>
        client.workflow.getHandle(controlIdOf(cluster)).signal(controlNames.expireEvidenceSignal),
      )
      .then(
        () => true,
        () => false,
      );
    // The control workflow may not exist yet.
    await sleep(asked ? everyMs : Math.min(everyMs, 10_000), undefined, { signal, ref: false }).catch(() => undefined);
  }
}
