import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Alert } from '../../../core/alert/alert.ts';
import type { RunningImage } from '../../../core/novelty/novelty.ts';
import { parseAlerts } from '../../../service/intake/read/parse.ts';

/**
 * Thirty days of the demo's shop as Falco would report them: a model, since no sensor runs on a benchmark machine. What its workloads do is written down here,
 * including what makes it hard: temporary names, a content network's changing addresses, a monthly job, two rollouts that bring something new (one part of it a
 * day late), and people who look into a pod. Mixed into it are the attacks that a real Falco has captured, each once in each workload.
 */
export interface LoadedAlert {
  readonly alert: Alert;
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly image: RunningImage;
  /** `imitation`: does only what its workload is known to do. */
  readonly kind: 'usual' | 'person' | 'attack' | 'imitation';
  /** For people: which attack. */
  readonly what: string;
}

export const loadDays = 30;
export const loadBegan = Date.parse('2026-10-01T00:00:00Z');
const hour = 3_600_000;
const day = 24 * hour;
const fixtures = join(import.meta.dirname, '../../../test/fixtures/alerts/falco');
const attacks = [
  '01-read_sensitive_file_untrusted.json',
  '02-create_symlink_over_sensitive_files.json',
  '03-search_private_keys_or_passwords.json',
  '04-execution_from_dev_shm.json',
  '05-fileless_execution_via_memfd_create.json',
  '06-run_shell_untrusted.json',
  'rw-reverse-shell-docker-hostname.json',
];
const replicas = { web: 2, cart: 4, orders: 2, db: 1 } as const;
type Workload = keyof typeof replicas;
const workloads: readonly Workload[] = ['web', 'cart', 'orders', 'db'];
const rollouts: Readonly<Record<Workload, readonly number[]>> = {
  web: [],
  cart: [12 * day, 22 * day],
  orders: [17 * day],
  db: [],
};

/** Something that is run, on average this often per day; with `from`, only for one day of the load. */
interface Habit {
  readonly workload: Workload;
  readonly rule: string;
  readonly process: () => { readonly exe: string; readonly parent: string; readonly line: string };
  readonly address?: () => string;
  readonly perDay: number;
  /** Milliseconds after the beginning. */
  readonly from?: number;
}

/** A fixed pseudo-random sequence: the same in each run. */
class Sequence {
  #state = 20_261_127;

  next(): number {
    this.#state = (Math.imul(this.#state, 1_664_525) + 1_013_904_223) >>> 0;
    return this.#state / 2 ** 32;
  }

  below(limit: number): number {
    return Math.floor(this.next() * limit);
  }

  hex(digits: number): string {
    return Array.from({ length: digits }, () => this.below(16).toString(16)).join('');
  }

  one<T>(list: readonly [T, ...T[]]): T {
    return list[this.below(list.length)] ?? list[0];
  }
}

function habitsOf(random: Sequence): readonly Habit[] {
  const shell = 'Run shell untrusted';
  const outbound = 'Unexpected outbound connection destination';
  const plain = (exe: string, parent: string, line: string) => () => ({ exe, parent, line });
  return [
    { workload: 'web', rule: shell, process: plain('/bin/sh', 'nginx', 'sh -c curl -fs http://127.0.0.1/health'), perDay: 24 },
    {
      workload: 'web',
      rule: outbound,
      process: plain('/usr/sbin/nginx', 'nginx', 'nginx: worker process'),
      // A content network: forty networks; each connection uses one of them.
      address: () => `151.101.${random.below(40)}.${random.below(256)}`,
      perDay: 12,
    },
    {
      workload: 'cart',
      rule: outbound,
      process: plain('/usr/bin/node', 'node', 'node server.mjs'),
      address: () => `203.0.113.${random.below(256)}`,
      perDay: 20,
    },
    {
      workload: 'cart',
      rule: 'Drop and execute new binary in container',
      process: () => ({
        exe: `/tmp/build-${random.hex(8)}/step${random.below(9)}`,
        parent: 'node',
        line: `step --id ${random.hex(12)}`,
      }),
      perDay: 8,
    },
    { workload: 'orders', rule: shell, process: plain('/bin/sh', 'python3', 'sh -c gpg --verify /data/order.asc'), perDay: 16 },
    {
      workload: 'orders',
      rule: 'Contact K8S API Server From Container',
      process: plain('/usr/bin/python3', 'sh', 'python3 /app/leader.py'),
      address: () => '10.96.0.1',
      perDay: 24,
    },
    { workload: 'db', rule: shell, process: plain('/bin/sh', 'runc', 'sh -c pg_isready -q'), perDay: 48 },
    {
      workload: 'db',
      rule: shell,
      process: () => ({ exe: '/bin/sh', parent: 'cron', line: `sh -c pg_dump -f /backup/${random.below(99_999)}.sql` }),
      perDay: 1,
    },
    {
      workload: 'db',
      rule: 'Read sensitive file untrusted',
      process: plain('/usr/bin/vacuumdb', 'cron', 'vacuumdb --all'),
      perDay: 1 / 7,
    },
    { workload: 'db', rule: shell, process: plain('/bin/sh', 'cron', 'sh -c reindexdb --all'), perDay: 1 / 28, from: 8 * day },
    // Runs with the rollouts.
    {
      workload: 'cart',
      rule: shell,
      process: plain('/bin/sh', 'node', 'sh -c ffprobe /data/a.mp4'),
      perDay: 24,
      from: 12 * day + hour,
    },
    {
      workload: 'cart',
      rule: outbound,
      process: plain('/usr/bin/node', 'node', 'node server.mjs'),
      address: () => '198.51.100.7',
      perDay: 4,
      from: 22 * day + hour,
    },
    { workload: 'cart', rule: shell, process: plain('/bin/sh', 'node', 'sh -c convert /data/a.png'), perDay: 2, from: 23 * day },
    {
      workload: 'orders',
      rule: shell,
      process: plain('/bin/sh', 'python3', 'sh -c openssl dgst'),
      perDay: 10,
      from: 17 * day + hour,
    },
  ];
}

const tools = ['ps', 'ls', 'top', 'env', 'cat', 'ss', 'du', 'vi', 'tcpdump', 'strace'] as const;

/** All of them, in order of time. */
export function shopLoad(): readonly LoadedAlert[] {
  const random = new Sequence();
  const loaded: LoadedAlert[] = [];
  const add = (
    event: Readonly<Record<string, unknown>>,
    workload: Workload,
    at: number,
    kind: LoadedAlert['kind'],
    what: string,
  ) => loaded.push(loadedOf({ event, workload, at: loadBegan + at, kind, what, pod: random.below(replicas[workload]) }));
  for (const { workload, rule, process, address, perDay, from = 0 } of habitsOf(random)) {
    const every = day / perDay;
    for (let at = from + every * random.next(); at < loadDays * day; at += every * (0.8 + 0.4 * random.next())) {
      const { exe, parent, line } = process();
      add(falcoEvent({ rule, exe, parent, line, address: address?.() }), workload, at, 'usual', rule);
    }
  }
  // Twice a week, somebody looks into a pod.
  for (let at = 2 * day * random.next(); at < loadDays * day; at += 7 * day * random.next()) {
    const workload = random.one(['web', 'cart', 'orders', 'db'] as const);
    for (const after of [0, 60_000, 120_000]) {
      const tool = random.one(tools);
      const event = falcoEvent({ rule: 'Terminal shell in container', exe: `/usr/bin/${tool}`, parent: 'bash', line: tool });
      add(event, workload, at + after, 'person', tool);
    }
  }
  for (const file of attacks)
    for (const workload of workloads) {
      const { output_fields: fields, ...rest } = JSON.parse(readFileSync(join(fixtures, file), 'utf8'));
      const at = 5 * day + random.next() * (loadDays - 5) * day;
      // A second time, some minutes later.
      for (const after of [0, 5 * 60_000])
        add({ ...rest, output_fields: fields }, workload, at + after, 'attack', file.replace('.json', ''));
    }
  for (let nth = 0; nth < 10; nth += 1) {
    const event = falcoEvent({
      rule: 'Run shell untrusted',
      exe: '/bin/sh',
      parent: 'nginx',
      line: 'sh -c curl http://198.51.100.66/x',
    });
    add(event, 'web', (5 + 2 * nth) * day + random.next() * day, 'imitation', 'sh -c curl below nginx');
  }
  return loaded.sort((a, b) => a.at - b.at);
}

function falcoEvent(of: {
  readonly rule: string;
  readonly exe: string;
  readonly parent: string;
  readonly line: string;
  readonly address?: string | undefined;
}): Readonly<Record<string, unknown>> {
  const { rule, exe, parent, line, address } = of;
  return {
    rule,
    priority: 'Notice',
    source: 'syscall',
    hostname: 'node-1',
    output: rule,
    tags: [],
    output_fields: {
      'proc.exepath': exe,
      'proc.name': exe.split('/').at(-1),
      'proc.pname': parent,
      'proc.cmdline': line,
      ...(address !== undefined && { 'fd.sip': address, 'fd.rip': address }),
    },
  };
}

/** Passed through the decoder, and completed as the cell's watch cache would. */
function loadedOf(of: {
  readonly event: Readonly<Record<string, unknown>>;
  readonly workload: Workload;
  readonly at: number;
  readonly kind: LoadedAlert['kind'];
  readonly what: string;
  readonly pod: number;
}): LoadedAlert {
  const { event, workload, at, kind, what } = of;
  const version = rollouts[workload].filter((one) => loadBegan + one <= at).length;
  const since = loadBegan + (version === 0 ? -60 * day : (rollouts[workload][version - 1] ?? 0));
  // Different for each pod of each rollout.
  const name = `${workload}-${version}c9f7d5b4-x${of.pod}k9q`;
  const fields: unknown = event.output_fields;
  const place = { 'k8s.ns.name': 'shop', 'k8s.pod.name': name, 'container.id': null, 'container.name': null };
  const sent = { ...event, time: new Date(at).toISOString(), output_fields: { ...(fields as object), ...place } };
  const parsed = parseAlerts(Buffer.from(JSON.stringify(sent)), { cluster: 'bench' });
  const [item] = parsed.ok ? parsed.items : [];
  if (item?.kind !== 'alert') throw new TypeError(`${what}: no alert: ${JSON.stringify(item ?? parsed)}`);
  const digest = `sha256:${`${workload}${version}`.padEnd(64, '0')}`;
  return {
    alert: {
      ...item.alert,
      pod: { namespace: 'shop', name, uid: `uid-${name}` },
      workload: { kind: 'Deployment', namespace: 'shop', name: workload },
    },
    at,
    image: { digest, since },
    kind,
    what,
  };
}
