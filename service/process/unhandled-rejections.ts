import { Counter, type Registry } from 'prom-client';
import { type Logger, reasonOf } from './log.ts';
import { inSources } from './source-places.ts';

let caught = 0;

/**
 * Handles unhandled rejections: by default Node ends the process, and with it the containment of a whole cluster. Such a rejection is a bug of ours or of a
 * library, so it is logged with its place and counted, and the process continues.
 */
export function installLastNet(log: Pick<Logger, 'error'>): void {
  process.on('unhandledRejection', (reason) => {
    caught += 1;
    log.error({ reason: reasonOf(reason), at: placeOf(reason), caught }, 'unhandled promise rejection: report it as a bug');
  });
}

/** Adds the counter to each door that has metrics. */
export function countUnhandled(registers: Registry[]): void {
  new Counter({
    name: 'firebreak_unhandled_rejections_total',
    help: 'Rejected promises of this process that nothing handled: each is a fault',
    registers,
    collect() {
      this.reset();
      this.inc(caught);
    },
  });
}

/** Returns the file of the first stack line that names one, with only its last folder: the message above it may contain anything. */
function placeOf(reason: unknown): string | undefined {
  const stack = reason instanceof Error ? inSources(reason.stack ?? '') : '';
  return /\n {4}at [^\n]*?([^\s/\\(]+\/[^\s/\\(]+:\d+:\d+)\)?(?:\n|$)/.exec(stack)?.[1];
}
