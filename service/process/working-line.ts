import { registerHooks } from 'node:module';
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

interface Watched {
  readonly out: Written;
  readonly err: Terminal;
  /** When the command began, on the clock of `performance`. */
  readonly began?: number;
  /** Has `look` called also where no timer fires. Returns what ends that. */
  readonly between?: (look: () => void) => () => void;
}

/** While modules are loaded no timer fires, and on a busy machine that takes seconds: each module is a moment to look. */
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
 * On a terminal, whatever has written nothing for two seconds says that it is at work, and for how long, in a line of its own on standard error. The line
 * goes when anything is written; while a question waits for its answer there is none. Ctrl-C takes it away, and says that the command was stopped. Returns
 * what ends it.
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
    // Whoever else listens finishes something first, and says so.
    if (!isAlone) return;
    Reflect.apply(errWrite, err, [`\nfirebreak ${command}: stopped\n`]);
    process.kill(process.pid, 'SIGINT');
  }
  process.on('SIGINT', stop);
  return end;
}
