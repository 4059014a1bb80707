import { DefaultLogger, type LogEntry, Runtime } from '@temporalio/worker';

/** What playbooks have said into the log. */
export const playbookLines: LogEntry[] = [];

// What a test has refused or broken on purpose is no news. Temporal takes this once a process: whoever needs it imports this file.
Runtime.install({
  logger: new DefaultLogger('INFO', (entry: LogEntry) => {
    if (entry.meta?.firebreakPlaybook) playbookLines.push(entry);
    if (entry.level === 'ERROR') console.error(entry.message, entry.meta);
  }),
  telemetryOptions: { logging: { filter: 'ERROR' } },
});
