import type proto from '@temporalio/proto';
import { listedRuns } from './rows.ts';
import { incidentState, type Session } from './session.ts';

/** A run of an incident as stored in Temporal, still sealed. */
interface StoredRun {
  readonly incident: string;
  readonly run: string;
  readonly history: proto.temporal.api.history.v1.IHistory;
}

interface RecentRuns {
  readonly runs: readonly StoredRun[];
  /** Number of this cluster's runs that were examined, and how many of them could not be read. */
  readonly looked: number;
  readonly unread: number;
  /** The time limit was reached before all were examined. */
  readonly isCut: boolean;
}

/**
 * The newest runs of incidents in which a playbook of this pack ran, and none of any other pack that is not shipped.
 *
 * @param limit maximum number of runs that are examined.
 * @throws FB_ERR_UNAVAILABLE if Temporal does not list them
 */
export async function recentRunsOf(
  session: Session,
  { pack, limit, untilMs }: { readonly pack: string; readonly limit: number; readonly untilMs: number },
): Promise<RecentRuns> {
  const rows = await listedRuns(session, limit);
  const runs: StoredRun[] = [];
  let [looked, unread] = [0, 0];
  for (const { incident, run } of rows) {
    if (Date.now() >= untilMs) break;
    looked += 1;
    try {
      const { bodies } = await incidentState(session, { id: incident, run });
      const packs = new Set(bodies.map(({ playbook }) => playbook.split('/')[0]));
      // The shipped playbooks are in every build.
      packs.delete('firebreak');
      if (!packs.delete(pack) || packs.size > 0) continue;
      const handle = session.client.workflow.getHandle(incident, run);
      runs.push({ incident, run, history: await session.client.withDeadline(untilMs, () => handle.fetchHistory()) });
    } catch {
      unread += 1;
    }
  }
  return { runs, looked, unread, isCut: looked < rows.length };
}
