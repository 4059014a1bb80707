import { type ChildProcess, fork } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { OwnRun, OwnRunEnd, OwnRunner } from '../../activities/actions/own-action.ts';
import type { StepContext } from '../../core/action/action.ts';
import type { OwnAction } from '../../core/action/own-action.ts';
import { isObject } from '../../core/text/plain-json.ts';
import type { PackFiles } from './pack-files.ts';
import { codeFolders, writePack } from './pack-program.ts';

/** Messages to the process of a pack's actions. */
export type ToHost =
  | {
      readonly kind: 'run';
      readonly id: number;
      /** File in `implementations`. */
      readonly file: string;
      readonly call: OwnRun;
      readonly secrets: Readonly<Record<string, string>>;
      readonly settings: Readonly<Record<string, string>>;
    }
  | { readonly kind: 'abort'; readonly id: number };

/** Messages from that process. */
export type FromHost =
  | { readonly kind: 'ready' }
  | { readonly kind: 'log'; readonly id: number; readonly text: string }
  | { readonly kind: 'end'; readonly id: number; readonly end: OwnRunEnd };

interface ActionHostOptions {
  readonly files: PackFiles;
  /** The pack's actions, under their full names. */
  readonly actions: readonly OwnAction[];
  /** Returns the current secrets. */
  readonly secrets: () => Readonly<Record<string, string>>;
  readonly settings: Readonly<Record<string, string>>;
  /** Environment in which clients find the API server, for an action with rights there. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly log: (text: string) => void;
}

/** Time that an abandoned attempt has to end; then the process is ended. */
const graceMs = 5_000;
const accountFolder = '/var/run/secrets/kubernetes.io/serviceaccount';

/**
 * The process in which the actions of one pack run. It holds none of Firebreak's keys: no environment, no file except the pack's own, and only the secrets that
 * each call passes. Started with the first call, and again after it has ended.
 */
export class ActionHost implements OwnRunner {
  readonly #options: ActionHostOptions;
  readonly #folder = mkdtempSync(join(tmpdir(), 'firebreak-actions-'));
  readonly #waiting = new Map<number, { readonly end: (end: OwnRunEnd) => void; readonly progress: StepContext['progress'] }>();
  /** The running attempt of each step; another attempt of the same step waits for it. */
  readonly #byKey = new Map<string, Promise<unknown>>();
  #process: ChildProcess | undefined;
  #ids = 0;

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
    const tell = (message: ToHost): void => {
      // If the message cannot be sent, the process has ended, and its exit event reports that.
      if (child.connected) child.send(message, () => undefined);
    };
    const abort = (): void => {
      tell({ kind: 'abort', id });
      void sleep(graceMs, undefined, { ref: false }).then(() => this.#waiting.has(id) && child.kill('SIGKILL'));
    };
    given.addEventListener('abort', abort, { once: true });
    try {
      const came = await new Promise<OwnRunEnd>((end) => {
        this.#waiting.set(id, { end, progress });
        const all = this.#options.secrets();
        const secrets = Object.fromEntries(action.own.secrets.map((name) => [name, all[name] ?? '']));
        const settings = Object.fromEntries(action.own.settings.map((name) => [name, this.#options.settings[name] ?? '']));
        tell({ kind: 'run', id, file: action.own.implementation, call, secrets, settings });
      });
      // The reason for the failure is the timeout, not how the attempt ended afterwards.
      return late.aborted && came.end === 'failed' ? { end: 'failed', reason: `it took longer than ${ms / 1_000} s` } : came;
    } finally {
      this.#waiting.delete(id);
      given.removeEventListener('abort', abort);
    }
  }

  #child(): ChildProcess {
    if (this.#process?.connected) return this.#process;
    const root = join(import.meta.dirname, '..', '..');
    const program = join(import.meta.dirname, `action-host-main${extname(import.meta.filename)}`);
    const hasRights = this.#options.actions.some(({ rights }) => rights.length > 0);
    const readable = [this.#folder, ...codeFolders(root), ...(hasRights ? [accountFolder] : [])];
    const flags = process.allowedNodeEnvironmentFlags.has('--allow-net') ? ['--allow-net'] : [];
    const child = fork(program, [this.#folder], {
      execArgv: [
        '--permission',
        ...flags,
        ...readable.map((path) => `--allow-fs-read=${path}`),
        '--max-old-space-size=256',
        '--disable-warning=ExperimentalWarning',
        '--disable-warning=SecurityWarning',
      ],
      env: { ...this.#options.env },
      cwd: this.#folder,
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    });
    child.on('message', (message: FromHost) => this.#heard(message));
    child.on('exit', () => this.#ended(child));
    child.on('error', () => this.#ended(child));
    this.#process = child;
    return child;
  }

  #heard(message: FromHost): void {
    if (message.kind === 'ready') return;
    const waiting = this.#waiting.get(message.id);
    if (message.kind === 'end') waiting?.end(message.end);
    else waiting?.progress?.(this.#cut(message.text));
  }

  #ended(child: ChildProcess): void {
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
