import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { FirebreakError, hasCode } from '../../../core/errors.ts';
import type { AnyPlaybook } from '../../../core/playbook/playbook.ts';
import type { ReleaseStatement } from '../../../core/playbook/release.ts';
import { packSourceAt } from '../../packs/pack-files.ts';
import { mostChanged } from '../../packs/release-store.ts';
import { printable } from '../output.ts';

export interface ReplayOptions {
  readonly config: string;
  /** The folder to publish to, if no configuration names it: then no incidents are replayed. */
  readonly store?: string;
  readonly allowChanged?: string;
  /** Maximum number of incident runs to replay, and the time limit in milliseconds. */
  readonly incidents: number;
  readonly within: number;
}

interface Built {
  readonly name: string;
  readonly where: string;
  readonly bundle: string;
  readonly playbooks: readonly AnyPlaybook[];
}

/** What was replayed, and which incidents were not. */
type Replayed = Pick<ReleaseStatement, 'replayed' | 'changed'> & { readonly notReplayed: readonly string[] };

/** Why no incident could be replayed. Known within seconds: the checks and the build before the replay take minutes. Undefined if nothing is in the way. */
export async function whyNotReplayed({ config, store }: Pick<ReplayOptions, 'config' | 'store'>): Promise<string | undefined> {
  if (store !== undefined) return undefined;
  const { withSession } = await import('../session.ts');
  const { canReadOpen } = await import('../../incidents/recent-runs.ts');
  try {
    if (await withSession({ config }, canReadOpen)) return undefined;
    return 'no incident was replayed: incidents are open, and no Firebreak with the role cell answers about them.';
  } catch (error) {
    return notReplayedFor(error);
  }
}

/** A publisher may lack what is needed to read incidents: the payload key and access to Temporal. */
function notReplayedFor(error: unknown): string {
  if (!hasCode(error, 'FB_ERR_UNAVAILABLE', 'FB_ERR_CONFIG_INVALID')) throw error;
  return `no incident was replayed: ${error.detail.trim().replaceAll(/\s+/g, ' ')}`;
}

/**
 * @param inTheWay why no incident can be replayed, if that is known (`whyNotReplayed`)
 * @throws FB_ERR_REFUSED if a history takes another path and nobody has allowed that
 */
export async function replayAll(built: Built, options: ReplayOptions, inTheWay: string | undefined): Promise<Replayed> {
  const own = await replayOwn(built);
  const none = { count: 0, faults: [], notReplayed: inTheWay === undefined ? [] : [inTheWay] };
  const real = options.store === undefined && inTheWay === undefined ? await replayIncidents(built, options) : none;
  const { notReplayed } = real;
  const faults = [...own.faults, ...real.faults];
  const replayed = { golden: own.count, incidents: real.count };
  if (faults.length === 0) return { replayed, notReplayed };
  for (const fault of faults) process.stderr.write(`${printable(fault)}\n`);
  const { allowChanged: because } = options;
  if (because === undefined)
    throw new FirebreakError(
      'FB_ERR_REFUSED',
      `${faults.length} of ${own.count + real.count} histories take another path on it: ${faults[0]}. If that is intended, give the reason with --allow-changed "…"`,
    );
  return {
    replayed,
    notReplayed,
    changed: { count: faults.length, histories: faults.slice(0, mostChanged).map((fault) => fault.slice(0, 1_000)), because },
  };
}

interface ReplayedHistories {
  readonly count: number;
  /** The histories that failed, and where. */
  readonly faults: readonly string[];
}

/** Replays the histories in the pack's folder. A tarball has none. */
async function replayOwn({ where, bundle, playbooks }: Built): Promise<ReplayedHistories> {
  const source = packSourceAt(where);
  if (!('folder' in source) || !existsSync(join(source.folder, 'histories'))) return { count: 0, faults: [] };
  const { historiesIn, replayHistories } = await import('../../trial/histories.ts');
  const faults = await replayHistories(source.folder, { bundle, playbooks });
  return { count: historiesIn(source.folder).length, faults: faults.map(({ file, problem }) => `${file}: ${problem}`) };
}

/** Replays the newest incidents that Temporal still has. What could not be replayed needs the publisher's reason. */
async function replayIncidents(
  { name, bundle }: Built,
  { config: path, incidents: limit, within }: ReplayOptions,
): Promise<ReplayedHistories & Pick<Replayed, 'notReplayed'>> {
  const { cliSpeaker, withSession } = await import('../session.ts');
  const { differenceOnReplay } = await import('../../trial/replay.ts');
  const { recentRunsOf } = await import('../../incidents/recent-runs.ts');
  try {
    return await withSession({ config: path }, async (session) => {
      const { runs, looked, unread, left } = await recentRunsOf(session, { pack: name, limit, untilMs: Date.now() + within });
      tell(`${looked} of the newest incidents were checked: ${name} ran in ${runs.length}, ${unread} could not be read.`);
      const notReplayed: string[] = [];
      if (unread > 0)
        notReplayed.push(`${unread} of the newest incidents could not be read: is a Firebreak with the role cell running?`);
      if (left > 0) notReplayed.push(`${left} of the newest incidents were not looked at: see --incidents and --within`);
      const { workflows } = cliSpeaker(session.config);
      const faults: string[] = [];
      for (const { incident, run, history } of runs) {
        const difference = await differenceOnReplay({ bundle, workflows, workflowId: incident, history });
        if (difference !== undefined)
          faults.push(`incident ${incident} (run ${run}) takes another path than before: ${difference}`);
      }
      return { count: runs.length, faults, notReplayed };
    });
  } catch (error) {
    return { count: 0, faults: [], notReplayed: [notReplayedFor(error)] };
  }
}

function tell(text: string): void {
  process.stderr.write(`${printable(text)}\n`);
}
