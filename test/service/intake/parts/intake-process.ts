import { appendFileSync } from 'node:fs';
import { resolverFromNames } from '../../../../core/alert/subject.ts';
import type { IncidentGateway } from '../../../../service/intake/send/incident-gateway.ts';
import { startIntake } from '../../../../service/intake/start.ts';

/** An intake of its own, to be killed: `node intake-process.ts SPOOL_DIR TAKEN_FILE up|down`. Prints its address. */
const [, , spoolDir = '', taken = '', temporal = 'up'] = process.argv;
const open = new Set<string>();

/** What Temporal took goes to a file, one line a batch: it outlives the process. */
function take(id: string, batch: unknown): void {
  open.add(id);
  appendFileSync(taken, `${JSON.stringify({ id, batch })}\n`);
}

const gateway: IncidentGateway = {
  start: async (id, { batch }) => {
    if (temporal === 'down') return { kind: 'unavailable', detail: 'down' };
    if (open.has(id)) return { kind: 'already-started' };
    take(id, batch);
    return { kind: 'started', run: 'run' };
  },
  signal: async (id, batch) => {
    if (temporal === 'down') return { kind: 'unavailable', detail: 'down' };
    take(id, batch);
    return { kind: 'signalled' };
  },
  note: async () => ({ kind: 'signalled' }),
};

const intake = await startIntake({
  listen: { host: '127.0.0.1', port: 0 },
  tokens: [{ name: 'falco', token: 'a-token-of-the-tests' }],
  spoolDir,
  maxBytes: 1_000_000_000,
  cluster: 'lab',
  resolver: resolverFromNames,
  gateway,
  seal: (bytes) => bytes,
  log: { info: () => {}, warn: () => {}, error: (fields, message) => console.error(message, fields) },
});
console.log(intake.url);
