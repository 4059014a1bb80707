import { styleText } from 'node:util';

/** Of a stream, whatever it takes: what was written is passed on as it came. */
interface Written {
  write: (...written: never[]) => boolean;
}
type Terminal = Written & { readonly isTTY?: boolean };

const afterMs = 2_000;
const everyMs = 1_000;
/** Back to the beginning of the line, and nothing is left of it: ECMA-48, EL. */
const erased = '\r\u001b[2K';

/** They stay, and say themselves what they do. */
const lasting = new Set(['run', 'dev', 'watch']);

/** How far a command is that knows it: what it does, and the share that is done. */
let known: { readonly what: string; readonly share: number } | undefined;

export function tellProgress(what: string, share: number): void {
  known = { what, share };
}

/**
 * On a terminal, whatever has written nothing for two seconds says that it is at work, and for how long, in a line of its own on standard error. The line
 * goes when anything is written; while a question waits for its answer there is none. Ctrl-C takes it away, and says that the command was stopped. Returns
 * what ends it.
 */
export function showWork(
  args: readonly string[],
  { out, err }: { readonly out: Written; readonly err: Terminal } = { out: process.stdout, err: process.stderr },
): () => void {
  if (err.isTTY !== true || args.some((word) => lasting.has(word) || word === '--watch')) return () => undefined;
  const began = performance.now();
  const command = args
    .filter((word) => /^[a-z][a-z-]*$/.test(word))
    .slice(0, 2)
    .join(' ');
  let wroteAt = began;
  let atLineStart = true;
  let isShown = false;
  const errWrite = err.write;
  const restore = [...new Set<Written>([out, err])].map((stream) => {
    const write = stream.write;
    const noticed = (...written: readonly unknown[]): boolean => {
      if (isShown) Reflect.apply(errWrite, err, [erased]);
      isShown = false;
      wroteAt = performance.now();
      atLineStart = /[\r\n]$/.test(String(written[0]));
      return Reflect.apply(write, stream, written);
    };
    stream.write = noticed;
    return () => {
      stream.write = write;
    };
  });
  const timer = setInterval(() => {
    const now = performance.now();
    if (!atLineStart || now - wroteAt < afterMs) return;
    const how = known === undefined ? `firebreak ${command} is at work` : `${known.what}: ${Math.floor(known.share * 100)} %`;
    const line = `${how}, ${Math.floor((now - began) / 1_000)} s`;
    Reflect.apply(errWrite, err, [`${erased}${styleText('dim', line, { stream: process.stderr })}`]);
    isShown = true;
  }, everyMs).unref();
  const end = (): void => {
    process.off('SIGINT', stop);
    clearInterval(timer);
    if (isShown) Reflect.apply(errWrite, err, [erased]);
    for (const back of restore) back();
    known = undefined;
  };
  function stop(): void {
    const isAlone = process.listenerCount('SIGINT') === 1;
    end();
    // Whoever else listens finishes something first, and says so.
    if (!isAlone) return;
    Reflect.apply(errWrite, err, [`\nfirebreak ${command}: stopped\n`]);
    process.kill(process.pid, 'SIGINT');
  }
  process.on('SIGINT', stop);
  return end;
}
