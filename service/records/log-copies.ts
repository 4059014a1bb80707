import type { Finding } from '../../core/audit/audit-report.ts';
import { FirebreakError } from '../../core/errors.ts';
import { isObject } from '../../core/text/plain-json.ts';
import { filePaths, type LogFiles, logHeadPath } from '../../core/tlog/log-tree.ts';
import { type LogNote, noteText, parseLogNote } from '../../core/tlog/signed-note.ts';
import { readLogNote } from './transparency-log.ts';

/** Another place that is told how far the log goes, with other credentials than the desk's folder. */
export interface LogCopy {
  readonly name: 's3' | 'git' | 'rekor';
  /** Not more often than that. */
  readonly everyMs: number;
  /** Idempotent: what was done before and has not been answered is done again. What it returns is kept beside. @throws FB_ERR_UNAVAILABLE, FB_ERR_CONFLICT where another log is there. */
  update(said: LogNote, files: LogFiles): Promise<object>;
}

/** What was put there last. */
export interface CopyState {
  readonly size: number;
  /** ISO 8601, UTC. */
  readonly at: string;
}

export interface LogCopies {
  /** Begins what is due. */
  update(): void;
  /** When what has begun has ended. */
  settled(): Promise<void>;
}

/** Each copy by itself: one that does not answer holds up neither the log nor the others. */
export function createLogCopies({
  copies,
  files,
  origin,
  onAlarm,
  onError,
  now = Date.now,
}: {
  readonly copies: readonly LogCopy[];
  readonly files: LogFiles;
  readonly origin: string;
  readonly onAlarm: (finding: Finding) => void;
  /** It is tried again with the next round. */
  readonly onError: (error: unknown) => void;
  readonly now?: () => number;
}): LogCopies {
  const running = new Map<string, Promise<void>>();
  const done = new Map<string, { readonly size: number; readonly at: number }>();
  const updateOne = async (copy: LogCopy): Promise<void> => {
    const before = done.get(copy.name);
    if (before && now() - before.at < copy.everyMs) return;
    const said = await readLogNote(files, origin);
    if (!said || before?.size === said.size) return;
    const begun = now();
    const more = await copy.update(said, files);
    done.set(copy.name, { size: said.size, at: begun });
    const state: CopyState = { size: said.size, at: new Date(begun).toISOString() };
    await files.write({
      path: copyPath(copy.name),
      bytes: new TextEncoder().encode(`${JSON.stringify({ ...state, ...more })}\n`),
    });
  };
  const failed = (name: string, error: unknown): void => {
    if (error instanceof FirebreakError && error.code === 'FB_ERR_CONFLICT')
      onAlarm({ kind: 'log-forked', text: `the copy of the log (${name}) says something else, or more: ${error.detail}` });
    else onError(error);
  };
  return {
    update: () => {
      for (const copy of copies) {
        if (running.has(copy.name)) continue;
        const one = updateOne(copy)
          .catch((error: unknown) => failed(copy.name, error))
          .finally(() => running.delete(copy.name));
        running.set(copy.name, one);
      }
    },
    settled: async () => {
      await Promise.all(running.values());
    },
  };
}

function copyPath(name: string): string {
  return `copies/${name}.json`;
}

/** What a desk has noted of a copy; undefined where there is none yet. @throws FB_ERR_UNAVAILABLE */
export async function readCopyState(files: Pick<LogFiles, 'read'>, name: string): Promise<CopyState | undefined> {
  const bytes = await files.read(copyPath(name));
  try {
    const state: unknown = bytes && JSON.parse(new TextDecoder().decode(bytes));
    if (isObject(state) && typeof state.size === 'number' && typeof state.at === 'string')
      return { size: state.size, at: state.at };
  } catch {
    // Torn or not ours: as if there were none.
  }
  return undefined;
}

/** Brings the files at another place up to what the log says, and says so there last. @throws FB_ERR_CONFLICT where the other goes further, or is another log. */
export async function copyLog(said: LogNote, from: LogFiles, to: LogFiles): Promise<void> {
  const bytes = await to.read(logHeadPath);
  const there = bytes && parseLogNote(new TextDecoder().decode(bytes));
  if (bytes && !there) throw new FirebreakError('FB_ERR_CONFLICT', `what is in the ${to.description} is no log`);
  if (there && (there.origin !== said.origin || there.size > said.size || (there.size === said.size && there.root !== said.root)))
    throw new FirebreakError('FB_ERR_CONFLICT', `${to.description} has another log, or a longer one`);
  for (const path of filePaths(there?.size ?? 0, said.size)) {
    const file = await from.read(path);
    if (!file) throw new FirebreakError('FB_ERR_UNAVAILABLE', `${from.description} has no ${path} now`);
    await to.write({ path, bytes: file });
  }
  await to.write({ path: logHeadPath, bytes: new TextEncoder().encode(noteText(said.note)) });
}
