import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { FirebreakError } from '../../core/errors.ts';
import { systemErrorCode } from '../../core/system-error.ts';
import { logHeadPath } from '../../core/tlog/log-tree.ts';
import { type LogNote, noteText, parseLogNote } from '../../core/tlog/signed-note.ts';
import { ensureFolder } from '../ensure-folder.ts';

const run = promisify(execFile);

interface GitAnchorOptions {
  /** As `git push` takes it. */
  readonly url: string;
  readonly branch: string;
  /** Ours alone: a repository without a working tree, made where there is none. */
  readonly folder: string;
  /** What `git` and what it asks for to push find their keys by. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly timeoutMs?: number;
}

interface Branch {
  /** The commit at its end; absent for a new branch. */
  readonly parent: string | undefined;
  /** The other files of it, as `git mktree` takes them. */
  readonly others: readonly string[];
  /** The content of `checkpoint`. */
  readonly text: string | undefined;
}

/** What a branch says how far the log goes; undefined where it says nothing yet. @throws FB_ERR_UNAVAILABLE, FB_ERR_CONFLICT where its `checkpoint` is of no log. */
export async function committedHead(options: GitAnchorOptions): Promise<LogNote | undefined> {
  const { text } = await readBranch(options);
  const said = text === undefined ? undefined : parseLogNote(text);
  if (text === undefined || said) return said;
  throw new FirebreakError('FB_ERR_CONFLICT', `the file ${logHeadPath} of the branch ${options.branch} is of no log`);
}

/**
 * Commits what a log says of itself to a branch of a repository, on top of what is there and never by force. A server that refuses other pushes keeps all of them.
 * Needs `git` on the PATH.
 * @throws FB_ERR_UNAVAILABLE
 */
export async function commitHead(said: LogNote, options: GitAnchorOptions): Promise<void> {
  const { url, branch } = options;
  const { parent, others } = await readBranch(options);
  const blob = (await runGit(['hash-object', '-w', '--stdin'], noteText(said.note), options)).trim();
  const tree = (await runGit(['mktree'], `${[...others, `100644 blob ${blob}\t${logHeadPath}`].join('\n')}\n`, options)).trim();
  const onTop = parent === undefined ? [] : ['-p', parent];
  const made = await runGit([...identity, 'commit-tree', tree, ...onTop, '-m', `Checkpoint ${said.size}`], '', options);
  await runGit(['push', '--quiet', '--', url, `${made.trim()}:refs/heads/${branch}`], '', options);
}

const identity = ['-c', 'user.name=Firebreak', '-c', 'user.email=firebreak@localhost'];

/** Asked each time: a push may have been taken, and its answer lost. */
async function readBranch(options: GitAnchorOptions): Promise<Branch> {
  const { url, branch, folder } = options;
  const git = (...args: readonly string[]): Promise<string> => runGit(args, '', options);
  await ensureFolder(folder, 0o700);
  await git('init', '--quiet', '--bare');
  const ref = `refs/heads/${branch}`;
  const [parent = ''] = (await git('ls-remote', '--', url, ref)).split(/\s/);
  if (parent === '') return { parent: undefined, others: [], text: undefined };
  await git('fetch', '--quiet', '--depth=1', '--no-tags', '--', url, ref);
  const others: string[] = [];
  let text: string | undefined;
  for (const line of (await git('ls-tree', parent)).split('\n').filter((one) => one !== '')) {
    const [, hash = '', path = ''] = /^\S+ \S+ (\S+)\t(.*)$/.exec(line) ?? [];
    if (path === logHeadPath) text = await git('cat-file', 'blob', hash);
    else others.push(line);
  }
  return { parent, others, text };
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
