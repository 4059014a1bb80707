import type { Finding } from '../../core/audit/audit-report.ts';
import { staleAfterMs } from '../../core/audit/checkpoint.ts';
import { FirebreakError, hasCode } from '../../core/errors.ts';
import { isObject } from '../../core/text/plain-json.ts';
import { filePaths, type LogFiles, logHeadPath, rootAt } from '../../core/tlog/log-tree.ts';
import { type LogHead, type LogNote, noteText, parseLogNote, toHex } from '../../core/tlog/signed-note.ts';
import { readLogNote } from './log-check.ts';

/** Another place to which the log is copied, with credentials other than those of the desk's folder. */
export interface LogCopy {
  readonly name: 's3' | 'rekor';
  /** Minimum interval. */
  readonly everyMs: number;
  /** Returns how far the copy goes, if it can be queried. @throws FB_ERR_UNAVAILABLE, FB_ERR_CONFLICT if something else is there. */
  look(): Promise<LogHead | undefined>;
  /**
   * Writes the log there, on top of the older one: `there` is a prefix of it. Idempotent: a write that was not acknowledged is repeated. The result is stored
   * with the state. @throws FB_ERR_UNAVAILABLE, FB_ERR_CONFLICT
   */
  put(said: LogNote, files: LogFiles, there: LogHead | undefined): Promise<object>;
}

/** What was last written there. */
interface CopyState {
  readonly size: number;
  /** ISO 8601, UTC. */
  readonly at: string;
}

export interface LogCopies {
  /** Starts the copies that are due. */
  update(): void;
  /** Resolves when the started copies have ended. */
  settled(): Promise<void>;
}

/** Each copy is independent: one that does not answer delays neither the log nor the others. */
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
  /** Called on an error; the copy is retried with the next round. */
  readonly onError: (error: unknown) => void;
  readonly now?: () => number;
}): LogCopies {
  const running = new Map<string, Promise<void>>();
  /** Copies with a problem, each reported once until it is resolved. */
  const wrong = new Set<string>();
  const alarm = (name: string, text: string): void => {
    if (!wrong.has(name)) onAlarm({ kind: 'log-forked', text: `the copy of the log (${name}) ${text}` });
    wrong.add(name);
  };
  const done = new Map<string, { readonly size: number; readonly at: number }>();
  /** Copies that are ahead of our own log, and since when. */
  const ahead = new Map<string, { readonly head: LogHead; readonly since: number }>();
  const updateOne = async (copy: LogCopy): Promise<void> => {
    const before = done.get(copy.name);
    if (before && now() - before.at < copy.everyMs) return;
    const said = await readLogNote(files, origin);
    if (!said || before?.size === said.size) return;
    const begun = now();
    const there = await copy.look();
    if (there && (await isOther(copy.name, there, said))) return;
    const more = there?.size === said.size ? {} : await copy.put(said, files, there);
    wrong.delete(copy.name);
    done.set(copy.name, { size: said.size, at: begun });
    const state: CopyState = { size: said.size, at: new Date(begun).toISOString() };
    await files.write({
      path: copyPath(copy.name),
      bytes: new TextEncoder().encode(`${JSON.stringify({ ...state, ...more })}\n`),
    });
  };
  /** Returns whether the copy must not be extended. Another desk with the same log may be ahead: whether it was the same is known once ours has come as far. */
  const isOther = async (name: string, there: LogHead, said: LogNote): Promise<boolean> => {
    const before = ahead.get(name);
    for (const head of [there, ...(before ? [before.head] : [])]) {
      const isReached = head.size <= said.size;
      if (head.origin !== origin || (isReached && toHex(await rootAt(files, head.size, said.size)) !== head.root)) {
        alarm(name, `differs in its first ${head.size} checkpoints`);
        return true;
      }
    }
    if (before && before.head.size > said.size && now() - before.since > staleAfterMs)
      alarm(name, `has ${before.head.size} checkpoints, but ours has only ${said.size}`);
    if (there.size <= said.size) ahead.delete(name);
    else if (!before || before.head.size <= said.size) ahead.set(name, { head: there, since: now() });
    return there.size > said.size;
  };
  const failed = (name: string, error: unknown): void => {
    if (hasCode(error, 'FB_ERR_CONFLICT')) alarm(name, `differs, or has more: ${error.detail}`);
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

/** Returns what a desk has recorded of a copy; undefined if nothing yet. @throws FB_ERR_UNAVAILABLE */
export async function readCopyState(files: Pick<LogFiles, 'read'>, name: string): Promise<CopyState | undefined> {
  const bytes = await files.read(copyPath(name));
  try {
    const state: unknown = bytes && JSON.parse(new TextDecoder().decode(bytes));
    if (isObject(state) && typeof state.size === 'number' && typeof state.at === 'string')
      return { size: state.size, at: state.at };
  } catch {
    // Torn or not ours: treated as missing.
  }
  return undefined;
}

/**
 * Brings the files at another place, where the log is at `there`, up to the current state, and writes its head last. @throws FB_ERR_UNAVAILABLE,
 * FB_ERR_CONFLICT
 */
export async function copyLog(said: LogNote, from: LogFiles, to: LogFiles, there: LogHead | undefined): Promise<void> {
  for (const path of filePaths(there?.size ?? 0, said.size)) {
    const file = await from.read(path);
    if (!file) throw new FirebreakError('FB_ERR_UNAVAILABLE', `${from.description} has no ${path} now`);
    await to.write({ path, bytes: file });
  }
  await to.write({ path: logHeadPath, bytes: new TextEncoder().encode(noteText(said.note)) });
}

/** Returns the head of the log at another place. @throws FB_ERR_UNAVAILABLE, FB_ERR_CONFLICT if it is not a log. */
export async function lookAtLog(files: LogFiles): Promise<LogHead | undefined> {
  const bytes = await files.read(logHeadPath);
  const there = bytes && parseLogNote(new TextDecoder().decode(bytes));
  if (bytes && !there) throw new FirebreakError('FB_ERR_CONFLICT', `what is in the ${files.description} is not a log`);
  return there;
}
