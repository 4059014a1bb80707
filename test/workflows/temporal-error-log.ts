import { DefaultLogger, type LogEntry, Runtime } from '@temporalio/worker';
import { coreFilter } from '../../service/temporal/runtime.ts';

/** What playbooks have said into the log. */
export const playbookLines: LogEntry[] = [];

type Listener = (entry: LogEntry) => void;

const listeners = new Set<Listener>();

/** What the SDK and its core say, until the returned function is called. */
export function hearTemporal(listener: Listener): () => void {
  listeners.add(listener);
  return () => void listeners.delete(listener);
}

// What a test has refused or broken on purpose is no news. Temporal takes this once a process: whoever needs it imports this file.
const errors = new DefaultLogger('ERROR');
Runtime.install({
  logger: new DefaultLogger('INFO', (entry) => {
    if (entry.meta?.firebreakPlaybook) playbookLines.push(entry);
    for (const listener of listeners) listener(entry);
    errors.log(entry.level, entry.message, entry.meta);
  }),
  telemetryOptions: { logging: { forward: {}, filter: coreFilter } },
});
