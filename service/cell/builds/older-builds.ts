import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from '@temporalio/client';
import { type Logger, reasonOf } from '../../process/log.ts';
import { removeRetired, storedBuild, type WorkflowBuild } from '../../temporal/bundle/bundle.ts';
import { RepeatedTrouble } from '../../temporal/repeated-trouble.ts';
import { openBuilds } from '../../temporal/versions.ts';

/** Another process with an older build may still begin incidents while this one starts, so the check is repeated. */
const lookAgainMs = 60_000;
const retryMs = 2_000;

/**
 * Finishes incidents with the older build of the playbooks that they began under: its bundle is in the state directory, and is removed some time after the last
 * of them.
 */
export async function runOlderBuilds(options: {
  readonly client: Client;
  readonly deployment: string;
  /** Builds that new incidents begin with here: their workers are not ended, and nobody looks for their incidents. */
  readonly running: () => readonly string[];
  /** Other builds that this process has workers for, with functions that end them. */
  readonly superseded?: () => ReadonlyMap<string, () => void>;
  readonly stateDir: string;
  /** Fetches a build from the store of releases if the state directory does not have it. Undefined if the store has no trusted one either. */
  readonly fetch: (id: string) => Promise<WorkflowBuild | undefined>;
  /** Resolves with a function that ends its worker. */
  readonly start: (build: WorkflowBuild) => Promise<() => void>;
  readonly log: Logger;
  readonly signal: AbortSignal;
  readonly everyMs?: number;
  readonly now?: () => number;
}): Promise<void> {
  const { client, deployment, running, superseded, stateDir, fetch, start, log, signal } = options;
  const { everyMs = lookAgainMs, now = Date.now } = options;
  const known = new Set<string>();
  const older = new Map<string, () => void>();
  /** Builds without an open incident at the last check: Temporal's list lags behind, so once is not enough. */
  let idle: ReadonlySet<string> = new Set();
  const trouble = new RepeatedTrouble();
  while (!signal.aborted) {
    let wait = everyMs;
    let unanswered: unknown;
    try {
      const open = await openBuilds({ client, deployment, except: running() });
      for (const [id, end] of superseded?.() ?? []) {
        older.set(id, end);
        known.add(id);
      }
      for (const id of open) {
        if (known.has(id)) continue;
        // A store that does not answer must not hold up the other builds.
        const build = storedBuild(id, stateDir) ?? (await fetch(id).catch((error: unknown) => ({ unanswered: error })));
        if (build && 'unanswered' in build) {
          unanswered = build.unanswered;
          continue;
        }
        if (build) older.set(id, await start(build));
        known.add(id);
        if (build) log.info({ build: id }, 'running an older build for the open incidents that started with it');
        else
          log.error(
            { build: id },
            'open incidents need an older build that is neither in the state directory nor in the store: run that version of Firebreak once more',
          );
      }
      // New incidents may be beginning with one of them again.
      const drained = [...older.keys()].filter((id) => !open.includes(id) && !running().includes(id));
      for (const id of drained.filter((one) => idle.has(one))) {
        older.get(id)?.();
        older.delete(id);
        known.delete(id);
        log.info({ build: id }, 'an older build has no more open incidents; its worker stops');
      }
      idle = new Set(drained);
      for (const id of removeRetired({ stateDir, needed: [...open, ...running(), ...older.keys()], nowMs: now() }))
        log.info({ build: id }, 'no incident has needed this older build for a week; it is removed from the state directory');
      if (unanswered !== undefined) throw unanswered;
      trouble.over();
    } catch (error) {
      wait = retryMs;
      const reason = reasonOf(error);
      const said = trouble.met(reason);
      if (said) log.warn({ reason, ...said }, 'cannot look for older builds with open incidents; trying again');
    }
    await sleep(wait, undefined, { signal, ref: false }).catch(() => undefined);
  }
}
