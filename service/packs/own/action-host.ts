import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import type { OwnRun, OwnRunEnd, OwnRunner } from '../../../activities/actions/own-action.ts';
import type { StepContext } from '../../../core/action/action.ts';
import { mayReach } from '../../../core/action/egress.ts';
import type { OwnAction } from '../../../core/action/own-action.ts';
import { type OwnRequest, refusalIn } from '../../../core/action/own-implementation.ts';
import { FirebreakError, RetryLaterError } from '../../../core/errors.ts';
import { isObject } from '../../../core/text/plain-json.ts';
import type { KubernetesApi } from '../../../integrations/kubernetes/client.ts';
import { ownHttp } from '../../../integrations/own-http.ts';
import { limitMemory } from '../memory-limit.ts';
import type { PackFiles } from '../pack-files.ts';
import { codeFolders, confinedFlags, writePack } from '../pack-program.ts';
import { isForApiServer, ownCluster } from './declared-rights.ts';
import { type FromHost, fromHost, limitLines, type ToHost } from './host-messages.ts';

interface ActionHostOptions {
  readonly files: PackFiles;
  /** The pack's actions, under their full names. */
  readonly actions: readonly OwnAction[];
  /** Returns the current secrets. */
  readonly secrets: () => Readonly<Record<string, string>>;
  readonly settings: Readonly<Record<string, string>>;
  /** The API server, with the pool's account; absent: no action has rights there. */
  readonly cluster?: { readonly api: () => Promise<KubernetesApi>; readonly ownNamespace: string | undefined };
  readonly log: (text: string) => void;
}

/** Time that an abandoned attempt has to end; then the process is ended. */
const graceMs = 5_000;
const memoryMb = 256;
/** Requests of one pack under way; and lines that its process may write without ending a call. */
const [mostRequests, mostLines] = [32, 20_000];

interface Waiting {
  readonly action: OwnAction;
  readonly signal: AbortSignal;
  readonly end: (end: OwnRunEnd) => void;
  readonly progress: StepContext['progress'];
}

/**
 * The process in which the actions of one pack run. It holds none of Firebreak's keys: no environment, no file except the pack's own, and only the secrets that
 * each call passes. Started with the first call, and again after it has ended.
 */
export class ActionHost implements OwnRunner {
  readonly #options: ActionHostOptions;
  readonly #folder = realpathSync(mkdtempSync(join(tmpdir(), 'firebreak-actions-')));
  readonly #waiting = new Map<number, Waiting>();
  /** The running attempt of each step; another attempt of the same step waits for it. */
  readonly #byKey = new Map<string, Promise<unknown>>();
  #process: ChildProcessByStdio<Writable, Readable, null> | undefined;
  #ids = 0;
  #requests = 0;
  #lines = 0;

  constructor(options: ActionHostOptions) {
    this.#options = options;
    writePack(options.files, this.#folder, 'with implementations');
    writeFileSync(join(this.#folder, 'package.json'), '{ "type": "module" }');
  }

  async run(call: OwnRun, context: Pick<StepContext, 'signal' | 'progress'>): Promise<OwnRunEnd> {
    const action = this.#options.actions.find(({ name }) => name.endsWith(`/${call.action}`));
    if (!action) return { end: 'refused', reason: 'the pack has no such action' };
    const before = this.#byKey.get(call.key);
    const result = (before ?? Promise.resolve()).then(() => this.#run(action, call, context));
    this.#byKey.set(call.key, result);
    try {
      return this.#withoutSecrets(await result);
    } finally {
      if (this.#byKey.get(call.key) === result) this.#byKey.delete(call.key);
    }
  }

  close(): void {
    this.#process?.kill('SIGKILL');
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async #run(
    action: OwnAction,
    call: OwnRun,
    { signal, progress }: Pick<StepContext, 'signal' | 'progress'>,
  ): Promise<OwnRunEnd> {
    const { planMs, applyMs, verifyMs } = action.timeouts;
    const ms = { plan: planMs, apply: applyMs, undo: applyMs, verify: verifyMs }[call.does];
    const late = AbortSignal.timeout(ms);
    const given = AbortSignal.any([signal, late]);
    if (given.aborted) return { end: 'failed', reason: 'it was cancelled before it started' };
    const child = this.#child();
    this.#ids += 1;
    const id = this.#ids;
    const abort = (): void => {
      tell(child, { kind: 'abort', id });
      void sleep(graceMs, undefined, { ref: false }).then(() => this.#waiting.has(id) && child.kill('SIGKILL'));
    };
    given.addEventListener('abort', abort, { once: true });
    try {
      const came = await new Promise<OwnRunEnd>((end) => {
        this.#waiting.set(id, { action, signal: given, end, progress });
        const all = this.#options.secrets();
        const secrets = Object.fromEntries(action.own.secrets.map((name) => [name, all[name] ?? '']));
        tell(child, { kind: 'run', id, file: action.own.implementation, call, secrets, settings: this.#settingsOf(action) });
      });
      // The reason for the failure is the timeout, not how the attempt ended afterwards.
      return late.aborted && came.end === 'failed' ? { end: 'failed', reason: `it took longer than ${ms / 1_000} s` } : came;
    } finally {
      this.#waiting.delete(id);
      given.removeEventListener('abort', abort);
    }
  }

  #settingsOf(action: OwnAction): Readonly<Record<string, string>> {
    return Object.fromEntries(action.own.settings.map((name) => [name, this.#options.settings[name] ?? '']));
  }

  #child(): ChildProcessByStdio<Writable, Readable, null> {
    if (this.#process) return this.#process;
    const root = join(import.meta.dirname, '..', '..', '..');
    const program = join(import.meta.dirname, `action-host-main${extname(import.meta.filename)}`);
    const flags = confinedFlags({ readable: [this.#folder, ...codeFolders(root)], megabytes: memoryMb });
    const child = spawn(process.execPath, [...flags, program, this.#folder], {
      env: {},
      cwd: this.#folder,
      // Lines and no channel of Node's own: its messages reach into the process that reads them.
      stdio: ['pipe', 'pipe', 'ignore'],
    });
    this.#process = child;
    this.#lines = 0;
    const over = (why: string): void => {
      if (this.#process !== child) return;
      this.#options.log(`the process of the pack’s actions ${why}: it was ended`);
      child.kill('SIGKILL');
      this.#ended(child);
    };
    limitMemory(child, memoryMb, over);
    limitLines(child.stdout, () => over('wrote a line that is too long'));
    createInterface({ input: child.stdout }).on('line', (line) => {
      if (this.#process !== child) return;
      this.#lines += 1;
      const heard = this.#lines > mostLines ? undefined : messageIn(line);
      if (heard) this.#heard(child, heard);
      else over(this.#lines > mostLines ? 'wrote too much' : 'wrote what is no message');
    });
    // If the message cannot be sent, the process has ended, and its exit event reports that.
    child.stdin.on('error', () => undefined);
    child.on('exit', () => this.#ended(child));
    child.on('error', () => this.#ended(child));
    return child;
  }

  #heard(child: ChildProcessByStdio<Writable, Readable, null>, message: FromHost): void {
    const waiting = this.#waiting.get(message.id);
    if (!waiting) return;
    if (message.kind === 'log') waiting.progress?.(this.#cut(message.text));
    else if (message.kind === 'request') void this.#send(child, waiting, message);
    else {
      this.#lines = 0;
      // Optional fields are present or absent, as in JSON.
      waiting.end(message.end as OwnRunEnd);
    }
  }

  /** Sends a request of the pack, if its action declares where it goes. */
  async #send(
    child: ChildProcessByStdio<Writable, Readable, null>,
    { action, signal }: Waiting,
    { request, asked }: Extract<FromHost, { readonly kind: 'request' }>,
  ): Promise<void> {
    const answer = (said: object): void => tell(child, { kind: 'answer', request, ...said } as ToHost);
    if (this.#requests >= mostRequests)
      return answer({ failed: `more than ${mostRequests} requests of the pack are under way`, retryAfterMs: 1_000 });
    this.#requests += 1;
    try {
      const { cluster } = this.#options;
      const http =
        cluster && isForApiServer(asked.url)
          ? ownCluster(await cluster.api(), { rights: action.rights, ownNamespace: cluster.ownNamespace }, signal)
          : ownHttp(signal, (url) => mayReach(action.own, this.#settingsOf(action), url));
      answer({ response: await http(asked as OwnRequest) });
    } catch (error) {
      const refused = refusalIn(error);
      if (refused !== undefined) return answer({ refused });
      const failed = error instanceof FirebreakError ? error.detail : 'the request could not be sent';
      answer({ failed, ...(error instanceof RetryLaterError && { retryAfterMs: error.retryAfterMs }) });
    } finally {
      this.#requests -= 1;
    }
  }

  #ended(child: ChildProcessByStdio<Writable, Readable, null>): void {
    if (this.#process !== child) return;
    this.#process = undefined;
    this.#options.log('the process of the pack’s actions has exited: what it was doing is retried');
    for (const { end } of this.#waiting.values()) end({ end: 'failed', reason: 'the process of the pack’s actions has exited' });
  }

  /** What is not of this process's making. */
  #withoutSecrets(end: OwnRunEnd): OwnRunEnd {
    return end.end === 'value' ? { ...end, value: this.#cutIn(end.value) } : { ...end, reason: this.#cut(end.reason) };
  }

  #cutIn(value: unknown): unknown {
    if (typeof value === 'string') return this.#cut(value);
    if (Array.isArray(value)) return value.map((one) => this.#cutIn(one));
    if (!isObject(value)) return value;
    return Object.fromEntries(Object.entries(value).map(([name, inner]) => [this.#cut(name), this.#cutIn(inner)]));
  }

  /** Removes the secrets that the action was given from whatever it returns. */
  #cut(text: string): string {
    return Object.entries(this.#options.secrets()).reduce((cut, [name, value]) => {
      // As plain text and as escaped in JSON, which an error may quote.
      const written = [value, JSON.stringify(value).slice(1, -1)];
      return value === '' ? cut : written.reduce((text, one) => text.replaceAll(one, `[secret ${name}]`), cut);
    }, text);
  }
}

function tell(child: ChildProcessByStdio<Writable, Readable, null>, message: ToHost): void {
  if (child.stdin.writable) child.stdin.write(`${JSON.stringify(message)}\n`);
}

function messageIn(line: string): FromHost | undefined {
  try {
    const said: unknown = JSON.parse(line);
    return isShallow(said) ? fromHost.safeParse(said).data : undefined;
  } catch {
    return undefined;
  }
}

/** What walks through a value must not run out of stack. */
function isShallow(value: unknown, depth = 100): boolean {
  if (typeof value !== 'object' || value === null) return true;
  return depth > 0 && Object.values(value).every((inner) => isShallow(inner, depth - 1));
}
