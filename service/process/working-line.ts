import { registerHooks } from 'node:module';
import { styleText } from 'node:util';

/** The write method of a stream, with any arguments: they are passed on unchanged. */
interface Written {
  write: (...written: never[]) => boolean;
}
type Terminal = Written & { readonly isTTY?: boolean };

const afterMs = 2_000;
const everyMs = 1_000;
/** Returns to the start of the line and erases it: ECMA-48, EL. */
const erased = '\r\u001b[2K';

/** Long-running commands, which report themselves what they do. */
const lasting = new Set(['run', 'dev', 'watch']);

/** Progress of a command that knows it: what it does, and the share that is done. */
let known: { readonly what: string; readonly share: number } | undefined;

export function tellProgress(what: string, share: number): void {
  known = { what, share };
}

interface Watched {
  readonly out: Written;
  readonly err: Terminal;
  /** When the command started, on the clock of `performance`. */
  readonly began?: number;
  /** Arranges for `look` to be called even when no timer fires. Returns a function that ends this. */
  readonly between?: (look: () => void) => () => void;
}

/** While modules are loaded no timer fires, which takes seconds on a busy machine: so it looks at each module. */
function betweenModules(look: () => void): () => void {
  const hooks = registerHooks({
    resolve: (specifier, context, next) => {
      look();
      return next(specifier, context);
    },
  });
  return () => hooks.deregister();
}

const ownProcess = (): Watched => ({ out: process.stdout, err: process.stderr, began: 0, between: betweenModules });

/**
 * On a terminal, a command that has written nothing for two seconds shows that it is working, and for how long, in a separate line on standard error. The line
 * disappears when anything is written, and is not shown while a question waits for its answer. Ctrl-C removes it and reports that the command was stopped.
 * Returns a function that ends this.
 */
export function showWork(
  args: readonly string[],
  { out, err, began = performance.now(), between = () => () => undefined }: Watched = ownProcess(),
): () => void {
  if (err.isTTY !== true || args.some((word) => lasting.has(word) || word === '--watch')) return () => undefined;
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
  let shownAt = began;
  const look = (): void => {
    const now = performance.now();
    if (!atLineStart || now - wroteAt < afterMs || now - shownAt < everyMs / 2) return;
    const how = known === undefined ? `firebreak ${command} is at work` : `${known.what}: ${Math.floor(known.share * 100)} %`;
    const line = `${how}, ${Math.floor((now - began) / 1_000)} s`;
    Reflect.apply(errWrite, err, [`${erased}${styleText('dim', line, { stream: process.stderr })}`]);
    isShown = true;
    shownAt = now;
  };
  const timer = setInterval(look, everyMs).unref();
  const endBetween = between(look);
  const end = (): void => {
    process.off('SIGINT', stop);
    clearInterval(timer);
    endBetween();
    if (isShown) Reflect.apply(errWrite, err, [erased]);
    for (const back of restore) back();
    known = undefined;
  };
  function stop(): void {
    const isAlone = process.listenerCount('SIGINT') === 1;
    end();
    // Other listeners finish something first, and report it themselves.
    if (!isAlone) return;
    Reflect.apply(errWrite, err, [`\nfirebreak ${command}: stopped\n`]);
    process.kill(process.pid, 'SIGINT');
  }
  process.on('SIGINT', stop);
  return end;
}
