import { DefaultLogger, type LogEntry, Runtime } from '@temporalio/worker';
import { coreFilter } from '../../service/temporal/runtime.ts';

/** Lines that playbooks have logged. */
export const playbookLines: LogEntry[] = [];

type Listener = (entry: LogEntry) => void;

const listeners = new Set<Listener>();

/** Passes on what the SDK and its core log, until the returned function is called. */
export function hearTemporal(listener: Listener): () => void {
  listeners.add(listener);
  return () => void listeners.delete(listener);
}

// Errors that a test provokes on purpose are not reported. Temporal accepts a logger once per process: tests that need it import this file.
const errors = new DefaultLogger('ERROR');
Runtime.install({
  logger: new DefaultLogger('INFO', (entry) => {
    if (entry.meta?.firebreakPlaybook) playbookLines.push(entry);
    for (const listener of listeners) listener(entry);
    errors.log(entry.level, entry.message, entry.meta);
  }),
  telemetryOptions: { logging: { forward: {}, filter: coreFilter } },
});
