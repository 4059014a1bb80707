import type { AuditRecord } from '../../core/audit/audit.ts';
import { provenIn, provenOf } from '../../core/audit/audit-check.ts';
import type { AuditStore } from '../../core/audit/audit-store.ts';
import type { ThreadPost } from '../../core/cards/card.ts';
import { summaryOf } from '../../core/console/incident-summary.ts';
import { whoHalted } from '../../core/incident/begun-again.ts';
import { type IncidentRef, subjectOfIncident, subjectTitle } from '../../core/incident/incident.ts';
import type { Trust } from '../../core/messages/sender.ts';
import { controlIdOf } from '../../core/orders/order.ts';
import type { Pager } from '../../core/tickets/paging.ts';
import { type Logger, reasonOf } from '../process/log.ts';

/** Milliseconds between looks. */
export const runNewsEveryMs = 20_000;

/** A pager that does not answer is tried again at the next look. */
const callWithinMs = 20_000;

/** What is older is in the thread, or helps nobody any more. */
const newsForMs = 86_400_000;

/** A page is ended even if its incident is begun again only weeks later. */
const pagesForMs = 30 * 86_400_000;

interface RunNewsParts {
  readonly store: Pick<AuditStore, 'eachOfKinds' | 'storedChain'>;
  readonly trust: Trust;
  /** Absent: no Slack. Posts each key once, whichever desk asks. `accounts` are mentioned, and see it in the channel. */
  readonly postInThread?: ((post: ThreadPost, accounts?: readonly string[]) => Promise<unknown>) | undefined;
  /** Absent: nobody can be paged. */
  readonly pager?: Pager | undefined;
  /** Who is paged, and the accounts of those of them who are on call now. */
  readonly group: string;
  readonly onCall: () => readonly string[];
  readonly log: Pick<Logger, 'warn'>;
  readonly now?: () => number;
}

/**
 * Tells people of an incident's run that is set aside: in its thread and, if something of it is contained, by a page, which ends once the incident is begun
 * again. The incident cannot, since its code runs nowhere; so the desk reads what the cluster's control workflow has put on record. Never throws; what failed
 * is tried again at the next look.
 */
export function runNews(parts: RunNewsParts): () => Promise<void> {
  const { store, trust, postInThread, pager, group, onCall, log, now = Date.now } = parts;
  const done = new Set<string>();

  const once = async (key: string, work: () => Promise<unknown>): Promise<void> => {
    if (done.has(key)) return;
    try {
      await work();
      done.add(key);
    } catch (error) {
      log.warn({ reason: reasonOf(error) }, 'cannot tell people of an incident that is set aside; trying again');
    }
  };

  const tell = async (found: HaltedIncident): Promise<void> => {
    const { incident, playbooks, contained, text } = found;
    const key = keyOf(incident);
    const subject = subjectOfIncident(incident.id);
    if (!subject || (done.has(`thread ${key}`) && done.has(`page ${key}`))) return;
    const { records } = provenOf((await store.storedChain(`${incident.id}@${incident.run}`)).records, trust);
    const severity = summaryOf([...records].sort((a, b) => a.number - b.number))?.severity ?? 'unknown';
    const about = { ...incident, title: subjectTitle(subject), cluster: subject.cluster, severity };
    await once(`thread ${key}`, async () => postInThread?.({ key, incident: about, text }, onCall()));
    await once(`page ${key}`, async () => {
      if (contained.length === 0) return;
      const who = `${about.title} is set aside: ${whoHalted(playbooks)}`;
      const summary = `${who}, and it asks nobody. Contained: ${contained.join(', ')}`;
      await pager?.page(
        { key, nth: 1, group, incident: about, summary, details: { what: text } },
        AbortSignal.timeout(callWithinMs),
      );
    });
  };

  const end = ({ incident, contained }: HaltedIncident): Promise<void> =>
    once(`end ${keyOf(incident)}`, async () => {
      if (contained.length === 0) return;
      await pager?.resolve({ key: keyOf(incident), nth: 1, groups: [group] }, AbortSignal.timeout(callWithinMs));
    });

  return async () => {
    try {
      const since = new Date(now() - pagesForMs).toISOString();
      const asked = { kinds: ['incident.set-aside', 'incident.restarted'], since } as const;
      const { records } = await provenIn(store.eachOfKinds(asked), trust);
      const fresh = new Date(now() - newsForMs).toISOString();
      for (const found of records.flatMap(setAsideIn)) {
        const again = records.find((record) => beginsAgain(record, found));
        if (again && again.at >= fresh) await end(found);
        if (!again && found.at >= fresh) await tell(found);
      }
    } catch (error) {
      log.warn({ reason: reasonOf(error) }, 'cannot read which incidents are set aside; trying again');
    }
  };
}

const keyOf = ({ id, run }: IncidentRef): string => `set-aside/${id}@${run}`;

interface HaltedIncident {
  readonly incident: IncidentRef;
  readonly at: string;
  /** Which it may have been. */
  readonly playbooks: readonly string[];
  readonly contained: readonly string[];
  readonly text: string;
}

/** Only a cluster's control workflow reports it, and only of its own cluster. */
function setAsideIn({ chain, at, body }: AuditRecord): readonly HaltedIncident[] {
  const { incident: id, run, playbooks, contained, text } = body;
  if (typeof id !== 'string' || typeof run !== 'string' || typeof text !== 'string' || !Array.isArray(contained)) return [];
  const cluster = subjectOfIncident(id)?.cluster;
  if (cluster === undefined || !chain.startsWith(`${controlIdOf(cluster)}@`)) return [];
  return [{ incident: { id, run }, at, text, playbooks: textsIn(playbooks), contained: textsIn(contained) }];
}

function textsIn(list: unknown): readonly string[] {
  return Array.isArray(list) ? list.filter((one) => typeof one === 'string') : [];
}

/** Another run of the incident says so, later: its own could say it before it ended its runner. */
function beginsAgain({ kind, chain, at }: AuditRecord, { incident: { id, run }, at: haltedAt }: HaltedIncident): boolean {
  return kind === 'incident.restarted' && chain.startsWith(`${id}@`) && chain !== `${id}@${run}` && at > haltedAt;
}
