import { execFile } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { promisify } from 'node:util';
import { FirebreakError } from '../../core/errors.ts';
import { systemErrorCode } from '../../core/system-error.ts';
import { logHeadPath } from '../../core/tlog/log-tree.ts';
import { type LogNote, noteText, parseLogNote } from '../../core/tlog/signed-note.ts';

const run = promisify(execFile);

export interface GitAnchorOptions {
  /** As `git push` takes it. */
  readonly url: string;
  readonly branch: string;
  /** Ours alone: a repository without a working tree, made where there is none. */
  readonly folder: string;
  /** What `git` and what it asks for to push find their keys by. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly timeoutMs?: number;
}

/**
 * Commits what a log says of itself to a branch of a repository, on top of what is there and never by force. A server that refuses other pushes keeps all of them.
 * Needs `git` on the PATH.
 * @throws FB_ERR_UNAVAILABLE, FB_ERR_CONFLICT where the branch has another log or a longer one.
 */
export async function commitHead(said: LogNote, options: GitAnchorOptions): Promise<void> {
  const { url, branch, folder } = options;
  const git = (args: readonly string[], input = ''): Promise<string> => runGit(args, input, options);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await git(['init', '--quiet', '--bare']);
  // Asked each time: a push may have been taken, and its answer lost.
  const ref = `refs/heads/${branch}`;
  const [parent = ''] = (await git(['ls-remote', '--', url, ref])).split(/\s/);
  const text = noteText(said.note);
  const others: string[] = [];
  if (parent !== '') {
    await git(['fetch', '--quiet', '--depth=1', '--no-tags', '--', url, ref]);
    for (const line of (await git(['ls-tree', parent])).split('\n').filter((one) => one !== '')) {
      const [, hash = '', path = ''] = /^\S+ \S+ (\S+)\t(.*)$/.exec(line) ?? [];
      if (path !== logHeadPath) others.push(line);
      else if (isCommitted(await git(['cat-file', 'blob', hash]), said, branch)) return;
    }
  }
  const blob = (await git(['hash-object', '-w', '--stdin'], text)).trim();
  const tree = (await git(['mktree'], `${[...others, `100644 blob ${blob}\t${logHeadPath}`].join('\n')}\n`)).trim();
  const onTop = parent === '' ? [] : ['-p', parent];
  const commit = (await git([...identity, 'commit-tree', tree, ...onTop, '-m', `Checkpoint ${said.size}`])).trim();
  await git(['push', '--quiet', '--', url, `${commit}:${ref}`]);
}

const identity = ['-c', 'user.name=Firebreak', '-c', 'user.email=firebreak@localhost'];

/** Whether all that is to be said has been said there. @throws FB_ERR_CONFLICT */
function isCommitted(text: string, said: LogNote, branch: string): boolean {
  if (text === noteText(said.note)) return true;
  const there = parseLogNote(text);
  const isOlder =
    there && there.origin === said.origin && (there.size < said.size || (there.size === said.size && there.root === said.root));
  if (isOlder) return false;
  throw new FirebreakError('FB_ERR_CONFLICT', `the branch ${branch} has another log, or a longer one`);
}

/** Addresses can hold a password: no text of git's is passed on. */
async function runGit(
  args: readonly string[],
  input: string,
  { folder, url, env, timeoutMs = 60_000 }: GitAnchorOptions,
): Promise<string> {
  try {
    const running = run('git', ['-C', folder, ...args], {
      timeout: timeoutMs,
      // Nobody is there to be asked for a password.
      env: { ...env, GIT_TERMINAL_PROMPT: '0', GIT_DIR: folder },
      maxBuffer: 1_048_576,
    });
    running.child.stdin?.on('error', () => {}).end(input);
    return (await running).stdout;
  } catch (error) {
    const reason = systemErrorCode(error) === 'ENOENT' ? 'there is no git on the PATH' : `git ${args.find(isVerb)} failed`;
    throw new FirebreakError('FB_ERR_UNAVAILABLE', `the log cannot be committed to ${shownUrl(url)}: ${reason}`);
  }
}

function isVerb(arg: string): boolean {
  return /^[a-z]+(-[a-z]+)*$/.test(arg);
}

function shownUrl(url: string): string {
  if (!URL.canParse(url)) return url.replace(/^[^@/]*@/, '');
  const { host, pathname } = new URL(url);
  return `${host}${pathname}`;
}
