import type proto from '@temporalio/proto';
import { hasCode } from '../../core/errors.ts';
import { listedRuns } from './rows.ts';
import { controlState, incidentState, type Session } from './session.ts';

/** A cell answers within milliseconds. One that reads an incident again after a start takes longer: the publisher is told. */
const answerMs = 5_000;

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
  /** Number of the others: the time limit was reached, or nobody answers about incidents. */
  readonly left: number;
}

/**
 * Whether open incidents can be read: a publisher should not hear after minutes of other work that no cell runs. True also if none is open.
 * @throws FB_ERR_UNAVAILABLE if Temporal does not list them
 */
export async function canReadOpen(session: Session): Promise<boolean> {
  if ((await listedRuns(session, 1, 'running')).length === 0) return true;
  try {
    // Anybody who reaches Temporal can begin an incident that answers nothing, so none of them is asked.
    await controlState(briefly(session));
    return true;
  } catch (error) {
    if (hasCode(error, 'FB_ERR_UNAVAILABLE')) return false;
    throw error;
  }
}

function briefly(session: Session): Session {
  const { onCatchingUp: _, onSlow: __, ...rest } = session;
  return { ...rest, withinMs: answerMs };
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
      const { bodies } = await incidentState(briefly(session), { id: incident, run });
      const packs = new Set(bodies.map(({ playbook }) => playbook.split('/')[0]));
      // The shipped playbooks are in every build.
      packs.delete('firebreak');
      if (!packs.delete(pack) || packs.size > 0) continue;
      const handle = session.client.workflow.getHandle(incident, run);
      runs.push({ incident, run, history: await session.client.withDeadline(untilMs, () => handle.fetchHistory()) });
    } catch (error) {
      unread += 1;
      // Then nobody answers for the others either.
      if (hasCode(error, 'FB_ERR_UNAVAILABLE')) break;
    }
  }
  return { runs, looked, unread, left: rows.length - looked };
}
