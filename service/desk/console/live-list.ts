import { LRUCache } from 'lru-cache';
import type { AuditRecord } from '../../../core/audit/audit.ts';
import { paced } from '../../../core/console/paced.ts';
import type { IncidentList } from '../../../integrations/database/incident-list.ts';

/** Records come in bursts, so the list is written once for many of them. */
const noteEveryMs = 150;
/** Maximum age of a shared page: changes by another desk are seen at the latest when this is over. */
const sharedMs = 400;
const mostShared = 100;

/** Updates the list after the records, without ever blocking them: whatever it cannot write is rebuilt from them. */
export function createListWriter(parts: {
  readonly list: Pick<IncidentList, 'note' | 'catchUp'>;
  readonly changed: () => void;
  readonly warn: (message: string, error: unknown) => void;
  readonly everyMs?: number;
}) {
  const { list, changed, warn, everyMs = noteEveryMs } = parts;
  let waiting: AuditRecord[] = [];
  let timer: NodeJS.Timeout | undefined;
  let work: Promise<void> = Promise.resolve();
  let isBehind = false;
  const write = async (): Promise<void> => {
    const records = waiting;
    waiting = [];
    if (records.length === 0 && !isBehind) return;
    try {
      if (isBehind) await list.catchUp();
      isBehind = false;
      await list.note(records);
      changed();
    } catch (error) {
      isBehind = true;
      warn('the console’s list of incidents is behind the records: it is rebuilt from them', error);
    }
  };
  const writeSoon = paced(
    () => {
      work = work.then(write);
    },
    (over) => {
      timer = setTimeout(over, everyMs);
    },
  );
  return {
    note: (records: readonly AuditRecord[]): void => {
      const listed = records.filter(({ chain }) => chain.startsWith('incident/'));
      if (listed.length === 0) return;
      waiting.push(...listed);
      writeSoon();
    },
    catchUp: (): void => {
      isBehind = true;
      work = work.then(write);
    },
    stop: async (): Promise<void> => {
      clearTimeout(timer);
      work = work.then(write);
      await work;
    },
  };
}

/** Reads each page of the list once for everyone who looks at it, until something changes. */
export function createSharedPages(list: Pick<IncidentList, 'page'>) {
  const pages = new LRUCache<string, ReturnType<IncidentList['page']>>({ max: mostShared, ttl: sharedMs });
  return {
    page: (...asked: Parameters<IncidentList['page']>): ReturnType<IncidentList['page']> => {
      const key = JSON.stringify(asked);
      const known = pages.get(key);
      if (known) return known;
      const made = list.page(...asked);
      pages.set(key, made);
      made.catch(() => pages.delete(key));
      return made;
    },
    changed: (): void => pages.clear(),
  };
}
