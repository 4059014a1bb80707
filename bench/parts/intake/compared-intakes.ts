import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { resolverFromNames } from '../../../core/alert/subject.ts';
import type { SubjectResolver } from '../../../core/alert/subject-resolver.ts';
import { glob, type Match, regex } from '../../../core/playbook/match.ts';
import type { AnyPlaybook } from '../../../core/playbook/playbook.ts';
import { createBox } from '../../../integrations/crypto-box/box.ts';
import { playbooks as shipped } from '../../../playbooks/index.ts';
import { CellStamps } from '../../../service/cell/alert-stamps.ts';
import { openKnowledge } from '../../../service/cell/pools/durable-memory.ts';
import type { IncidentGateway } from '../../../service/intake/send/incident-gateway.ts';
import { startIntake } from '../../../service/intake/start.ts';

/**
 * Two intakes in one process: `node compared-intakes.ts FOLDER TOKEN matcher|novelty`. For `matcher`, one asks no playbook, and one asks the shipped ones and a
 * hundred more about each alert. For `novelty`, both ask the shipped ones, and one remembers what is new. Prints their addresses, the one without first.
 * Whatever they hand over is accepted at once.
 */
const [, , folder = '', token = '', compared = 'matcher'] = process.argv;
const log = { info: () => {}, warn: () => {}, error: (fields: object, message?: string) => console.error(message, fields) };
const box = createBox({ keys: [{ id: 'bench', key: randomBytes(32) }] });

function playbook(id: string, match: Match): AnyPlaybook {
  return { id, title: id, on: { match, minSeverity: 'low', requires: [] }, uses: {} };
}

function several(count: number, make: (at: number) => Match): readonly AnyPlaybook[] {
  return Array.from({ length: count }, (_, at) => playbook(`${JSON.stringify(Object.keys(make(at)))}-${at}`, make(at)));
}

/** The rule of the sent alerts: half of the counting playbooks count them. */
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
    node: glob('v*'),
    // Each has its own count: identical ones would be counted once.
    count: { times: 5, within: `1${at}m`, per: 'workload' },
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
type Novelty = ConstructorParameters<typeof CellStamps>[0]['novelty'];

function stampsOf(playbooks: readonly AnyPlaybook[], novelty?: Novelty): CellStamps {
  const { alertCounts: counts, awaited } = knowledge;
  const stamps = new CellStamps({ playbooks, counts, awaited, novelty, written: () => knowledge.written(), box, log });
  stamps.watch(async () => true);
  return stamps;
}

const hour = 3_600_000;
const image = { digest: `sha256:${'a'.repeat(64)}`, since: 0 };
const remembering: Novelty = {
  kept: knowledge.novelty,
  // So that everything that arrives is judged.
  learningMs: 1_000,
  rolloutMs: hour,
  raisesSeverity: false,
  imageOf: () => image,
  podsOf: () => 1,
};
const stamps =
  compared === 'novelty'
    ? ([stampsOf(shipped), stampsOf(shipped, remembering)] as const)
    : ([undefined, stampsOf([...shipped, ...more])] as const);
/** As if a cluster had reported it: nothing is remembered for a guess from names. */
const resolver: SubjectResolver = {
  resolve: (given) => {
    const { alert, subject } = resolverFromNames.resolve(given);
    const { pod, workload } = alert;
    if (!pod || !workload) return { alert, subject };
    const { guessed: _, ...sure } = workload;
    return { alert: { ...alert, pod: { ...pod, uid: `uid-${pod.name}` }, workload: sure }, subject };
  },
};
const urls: string[] = [];
for (const [name, asked] of [
  ['none', stamps[0]],
  ['many', stamps[1]],
] as const) {
  const intake = await startIntake({
    listen: { host: '127.0.0.1', port: 0 },
    tokens: [{ name: 'falco', token }],
    senders: [{ name: 'falco', alertsPerSecond: 1_000_000, burst: 1_000_000 }],
    spoolDir: join(folder, name),
    maxBytes: 2_000_000_000,
    cluster: 'bench',
    resolver,
    gateway: gatewayThatTakesAll(),
    stamps: asked,
    seal: (bytes, aad) => box.seal(bytes, aad),
    log,
  });
  urls.push(intake.url);
}
process.on('message', () => process.send?.(process.cpuUsage()));
console.log(urls.join(' '));
