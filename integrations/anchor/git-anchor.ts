import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { FirebreakError } from '../../core/errors.ts';
import { systemErrorCode } from '../../core/system-error.ts';
import { logHeadPath } from '../../core/tlog/log-tree.ts';
import { type LogNote, noteText, parseLogNote } from '../../core/tlog/signed-note.ts';
import { ensureFolder } from '../ensure-folder.ts';

const run = promisify(execFile);

interface GitAnchorOptions {
  /** As accepted by `git push`. */
  readonly url: string;
  readonly branch: string;
  /** Used by nobody else: a bare repository, created if there is none. */
  readonly folder: string;
  /** Environment in which `git` and the programs that it calls find their keys for pushing. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly timeoutMs?: number;
}

interface Branch {
  /** The branch's latest commit; absent for a new branch. */
  readonly parent: string | undefined;
  /** Its other files, in the input format of `git mktree`. */
  readonly others: readonly string[];
  /** The content of `checkpoint`. */
  readonly text: string | undefined;
}

/** The log's head according to the branch; undefined if there is none yet. @throws FB_ERR_UNAVAILABLE, FB_ERR_CONFLICT when its `checkpoint` is not a log's. */
export async function committedHead(options: GitAnchorOptions): Promise<LogNote | undefined> {
  const { text } = await readBranch(options);
  const said = text === undefined ? undefined : parseLogNote(text);
  if (text === undefined || said) return said;
  throw new FirebreakError('FB_ERR_CONFLICT', `the file ${logHeadPath} on the branch ${options.branch} is not the head of a log`);
}

/**
 * Commits a log's head to a branch of a repository, on top of the existing commits and never by force. A server that rejects any other push keeps all of them.
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

/** Fetched each time: a push may have been accepted although its answer was lost. */
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

/** URLs can contain a password: no output of git is passed on. */
async function runGit(
  args: readonly string[],
  input: string,
  { folder, url, env, timeoutMs = 60_000 }: GitAnchorOptions,
): Promise<string> {
  try {
    const running = run('git', ['-C', folder, ...args], {
      timeout: timeoutMs,
      // Nobody is there to enter a password.
      env: { ...env, GIT_TERMINAL_PROMPT: '0', GIT_DIR: folder },
      maxBuffer: 1_048_576,
    });
    running.child.stdin?.on('error', () => {}).end(input);
    return (await running).stdout;
  } catch (error) {
    const reason = systemErrorCode(error) === 'ENOENT' ? 'git is not on the PATH' : `git ${args.find(isVerb)} failed`;
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
