import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { resolverFromNames } from '../../../core/alert/subject.ts';
import { glob, type Match, regex } from '../../../core/playbook/match.ts';
import type { AnyPlaybook } from '../../../core/playbook/playbook.ts';
import { createBox } from '../../../integrations/crypto-box/box.ts';
import { playbooks as shipped } from '../../../playbooks/index.ts';
import { CellStamps } from '../../../service/cell/alert-stamps.ts';
import { openKnowledge } from '../../../service/cell/pools/durable-memory.ts';
import type { IncidentGateway } from '../../../service/intake/send/incident-gateway.ts';
import { startIntake } from '../../../service/intake/start.ts';

/**
 * Two intakes in one process, one that asks the shipped playbooks and a hundred more about each alert, and one that asks none: `node matcher-server.ts
 * FOLDER TOKEN`. Prints their addresses, the one without playbooks first. What they hand over is taken at once.
 */
const [, , folder = '', token = ''] = process.argv;
const log = { info: () => {}, warn: () => {}, error: (fields: object, message?: string) => console.error(message, fields) };
const box = createBox({ keys: [{ id: 'bench', key: randomBytes(32) }] });

function playbook(id: string, match: Match): AnyPlaybook {
  return { id, title: id, on: { match, minSeverity: 'low', requires: [] }, uses: {} };
}

function several(count: number, make: (at: number) => Match): readonly AnyPlaybook[] {
  return Array.from({ length: count }, (_, at) => playbook(`${JSON.stringify(Object.keys(make(at)))}-${at}`, make(at)));
}

/** The rule of the alerts that are sent: half of what counts, counts them. */
const sent = 'Fileless execution via memfd_create';
const more: readonly AnyPlaybook[] = [
  ...several(50, (at) => ({ rule: [`Rule ${at}`, `Other rule ${at}`], severity: ['critical', 'high'] })),
  ...several(15, (at) => ({ rule: glob(`Rule ${at} *`) })),
  ...several(15, (at) => ({ process: { arguments: regex(`\\b(?:miner|tool)${at}\\b.*--(?:pool|url)`, { ignoreCase: true }) } })),
  ...several(10, (at) => ({
    severity: 'critical',
    namespace: `team-${at}`,
    not: { any: [{ image: { registry: glob('*.example') } }, { process: { path: glob('/usr/bin/*') } }] },
  })),
  ...several(10, (at) => ({
    rule: at % 2 === 0 ? sent : `Rule ${at}`,
    node: glob(`*${at}*`),
    count: { times: 5, within: '10m', per: 'workload' },
  })),
];

function gatewayThatTakesAll(): IncidentGateway {
  const open = new Set<string>();
  return {
    start: async (id) => {
      if (open.has(id)) return { kind: 'already-started' };
      open.add(id);
      return { kind: 'started', run: 'run' };
    },
    signal: async (id) => (open.has(id) ? { kind: 'signalled' } : { kind: 'not-found' }),
    note: async () => ({ kind: 'signalled' }),
  };
}

const knowledge = openKnowledge(join(folder, 'memory'), log);
const stamps = new CellStamps({
  playbooks: [...shipped, ...more],
  counts: knowledge.alertCounts,
  awaited: knowledge.awaited,
  written: () => knowledge.written(),
  box,
  log,
});
const urls: string[] = [];
for (const [name, asked] of [
  ['none', undefined],
  ['many', stamps],
] as const) {
  const intake = await startIntake({
    listen: { host: '127.0.0.1', port: 0 },
    tokens: [{ name: 'falco', token }],
    senders: [{ name: 'falco', alertsPerSecond: 1_000_000, burst: 1_000_000 }],
    spoolDir: join(folder, name),
    maxBytes: 2_000_000_000,
    cluster: 'bench',
    resolver: resolverFromNames,
    gateway: gatewayThatTakesAll(),
    stamps: asked,
    seal: (bytes, aad) => box.seal(bytes, aad),
    log,
  });
  urls.push(intake.url);
}
process.on('message', () => process.send?.(process.cpuUsage()));
console.log(urls.join(' '));
