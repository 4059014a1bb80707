/**
 * Runs the implementations of one pack's actions: `action-host-main FOLDER`, called by its parent over IPC. A separate process without an environment, which
 * may read the pack and Firebreak's code and nothing else. It ends with its parent.
 */
import type { FromHost, ToHost } from './action-host.ts';
import { loadedPack } from './loaded-pack.ts';
import { implementations } from './pack-files.ts';
import { runOwn } from './run-own.ts';

const [folder = ''] = process.argv.slice(2);
const running = new Map<number, AbortController>();
const say = (message: FromHost): void => {
  process.send?.(message);
};

process.on('disconnect', () => process.exit());
process.on('message', (message: ToHost) => {
  if (message.kind === 'abort') running.get(message.id)?.abort();
  else void run(message);
});
say({ kind: 'ready' });

async function run({ id, file, call, secrets, settings }: Extract<ToHost, { readonly kind: 'run' }>): Promise<void> {
  const abort = new AbortController();
  running.set(id, abort);
  try {
    const implemented = await loadedPack(folder, `${implementations}/${file}`);
    const log = (text: string): void => say({ kind: 'log', id, text: String(text).slice(0, 1_000) });
    const end = await runOwn(implemented, call, { secrets, settings, log, signal: abort.signal });
    say({ kind: 'end', id, end });
  } catch (error) {
    say({
      kind: 'end',
      id,
      end: { end: 'refused', reason: `it cannot be loaded: ${error instanceof Error ? error.message : 'no reason'}` },
    });
  } finally {
    running.delete(id);
  }
}
