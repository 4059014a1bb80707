/**
 * Runs the implementations of one pack's actions: `action-host-main FOLDER`, told by its parent in lines of JSON. A separate process without an environment, which
 * may read the pack and Firebreak's code and nothing else. It ends with its parent.
 */
import { createInterface } from 'node:readline';
import { type OwnCall, refuse } from '../../../core/action/own-implementation.ts';
import { FirebreakError, RetryLaterError } from '../../../core/errors.ts';
import { confinedPack, loadedFrom } from '../loaded-pack.ts';
import { implementations } from '../pack-files.ts';
import type { FromHost, ToHost } from './host-messages.ts';
import { runOwn } from './run-own.ts';

type Run = Extract<ToHost, { readonly kind: 'run' }>;
type Answer = Extract<ToHost, { readonly kind: 'answer' }>;

const [folder = ''] = process.argv.slice(2);
const running = new Map<number, AbortController>();
const requests = new Map<number, PromiseWithResolvers<Answer>>();
const { stdout } = process;
let asked = 0;

const say = (message: FromHost): void => {
  stdout.write(`${JSON.stringify(message)}\n`);
};

const told = createInterface({ input: process.stdin });
told.on('close', () => process.exit());
// Nobody reads what it prints.
globalThis.console = { ...console, ...Object.fromEntries(Object.keys(console).map((name) => [name, () => undefined])) };
await confinedPack(folder);
told.on('line', (line) => {
  const message: ToHost = JSON.parse(line);
  if (message.kind === 'run') void run(message);
  else if (message.kind === 'abort') running.get(message.id)?.abort();
  else requests.get(message.request)?.resolve(message);
});

async function run({ id, file, call, secrets, settings }: Run): Promise<void> {
  const abort = new AbortController();
  running.set(id, abort);
  try {
    const implemented = await loadedFrom(folder, `${implementations}/${file}`);
    const log = (text: string): void => say({ kind: 'log', id, text: String(text).slice(0, 1_000) });
    const end = await runOwn(implemented, call, { secrets, settings, log, signal: abort.signal, http: httpOf(id) });
    say({ kind: 'end', id, end });
  } catch (error) {
    const reason = `it cannot be loaded: ${error instanceof Error ? error.message : 'no reason'}`;
    say({ kind: 'end', id, end: { end: 'refused', reason } });
  } finally {
    running.delete(id);
  }
}

/** The pool sends the requests: this process has no network. */
function httpOf(id: number): OwnCall['http'] {
  return async ({ method, url, headers, body }) => {
    asked += 1;
    const request = asked;
    const answered = Promise.withResolvers<Answer>();
    requests.set(request, answered);
    try {
      const plain = { method, url, ...(headers && { headers }), ...(body !== undefined && { body }) };
      say({ kind: 'request', id, request, asked: plain });
      const answer = await answered.promise;
      if ('response' in answer) return answer.response;
      if ('refused' in answer) return refuse(answer.refused);
      const { failed, retryAfterMs } = answer;
      throw retryAfterMs === undefined
        ? new FirebreakError('FB_ERR_UNAVAILABLE', failed)
        : new RetryLaterError(failed, { retryAfterMs });
    } finally {
      requests.delete(request);
    }
  };
}
