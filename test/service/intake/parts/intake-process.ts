import { appendFileSync } from 'node:fs';
import { flushCompileCache } from 'node:module';
import { join } from 'node:path';
import { resolverFromNames } from '../../../../core/alert/subject.ts';
import type { AnyPlaybook } from '../../../../core/playbook/playbook.ts';
import { createBox } from '../../../../integrations/crypto-box/box.ts';
import { CellStamps } from '../../../../service/cell/alert-stamps.ts';
import { openKnowledge } from '../../../../service/cell/pools/durable-memory.ts';
import type { IncidentGateway } from '../../../../service/intake/send/incident-gateway.ts';
import { startIntake } from '../../../../service/intake/start.ts';

/**
 * A separate intake process that tests kill: `node intake-process.ts SPOOL_DIR TAKEN_FILE up|down [PLAYBOOKS] [CONTAINED_FILE]`. Prints its address. With the
 * last one it writes down the first alert that it would contain, and is gone.
 */
const [, , spoolDir = '', taken = '', temporal = 'up', enabled = '[]', contained = ''] = process.argv;
const playbooks: readonly AnyPlaybook[] = JSON.parse(enabled);
const open = new Set<string>();

/** Everything that Temporal accepted goes to a file, one line per batch: the file outlives the process. */
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

const log = {
  info: () => {},
  warn: () => {},
  error: (fields: object, message?: string) => console.error(message, fields),
};
const knowledge = openKnowledge(join(spoolDir, '..', 'memory'), log);
const stamps = new CellStamps({
  playbooks,
  counts: knowledge.alertCounts,
  awaited: knowledge.awaited,
  written: () => knowledge.written(),
  box: createBox({ keys: [{ id: 'test', key: new Uint8Array(32).fill(7) }] }),
  log,
});
const intake = await startIntake({
  listen: { host: '127.0.0.1', port: 0 },
  tokens: [{ name: 'falco', token: 'a-token-of-the-tests' }],
  spoolDir,
  maxBytes: 1_000_000_000,
  cluster: 'lab',
  resolver: resolverFromNames,
  gateway,
  stamps,
  seal: (bytes) => bytes,
  ...(contained !== '' && {
    headStart: {
      wants: () => true,
      begin: async ({ alert }, durable) => {
        await durable;
        appendFileSync(contained, alert.id);
        process.kill(process.pid, 'SIGKILL');
        return 'contained';
      },
      orphans: () => 0,
    },
  }),
  log,
});
// The process will be killed, so it saves Node's compile cache now for the next one.
flushCompileCache();
console.log(intake.url);
