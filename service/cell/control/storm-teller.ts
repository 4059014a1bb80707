import type { Client } from '@temporalio/client';
import type { StormReport } from '../../../core/alert/storm.ts';
import { controlNames } from '../../../core/decide/control.ts';
import { controlIdOf } from '../../../core/orders/order.ts';

const callMs = 5_000;

/** Brings what an intake sees of a storm to the cluster's control workflow, which has the desk tell people: a cell holds no credentials for that. */
export class StormTeller {
  readonly #cluster: string;
  #client: Client | undefined;

  constructor(cluster: string) {
    this.#cluster = cluster;
  }

  /** From now on there is Temporal. */
  open(client: Client): void {
    this.#client = client;
  }

  /** False when it did not arrive. Never rejects. */
  async tell(report: StormReport): Promise<boolean> {
    const client = this.#client;
    if (client === undefined) return false;
    try {
      const handle = client.workflow.getHandle(controlIdOf(this.#cluster));
      await client.withDeadline(Date.now() + callMs, () => handle.signal(controlNames.stormSignal, report));
      return true;
    } catch {
      return false;
    }
  }
}
