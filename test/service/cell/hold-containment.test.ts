import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from '@jest/globals';
import pino from 'pino';
import type { LandedSteps } from '../../../activities/memory/landed-steps.ts';
import type { CellActivities, StepCall } from '../../../core/action/step.ts';
import type { Alert } from '../../../core/alert/alert.ts';
import type { SubjectResolver } from '../../../core/alert/subject-resolver.ts';
import {
  type BeforeState,
  type GivenBackBy,
  quarantineMarks,
  releaseMark,
  sealBeforeState,
} from '../../../core/cluster/before-state.ts';
import { names } from '../../../core/cluster/labels.ts';
import { noteAnnotation, sealNote } from '../../../core/cluster/object-note.ts';
import type { PodRecord, PolicyRecord } from '../../../core/cluster/pod-record.ts';
import { type HoldTerms, holdTermsNow } from '../../../core/incident/hold.ts';
import type { IncidentNote } from '../../../core/incident/incident.ts';
import { digestOf } from '../../../core/text/digest.ts';
import { createKubernetesApi } from '../../../integrations/kubernetes/client.ts';
import { specOf } from '../../../integrations/kubernetes/policies/standing-policy.ts';
import type { ClusterView } from '../../../integrations/kubernetes/watch/cluster-view.ts';
import { policyRecord } from '../../../integrations/kubernetes/watch/projection.ts';
import { ContainedPods, tellingDecided } from '../../../service/cell/contained-pods.ts';
import { HeldObjects } from '../../../service/cell/containment/held-objects.ts';
import type { ReleaseSaid } from '../../../service/cell/containment/held-resources.ts';
import { HoldContainment } from '../../../service/cell/containment/hold-containment.ts';
import { openKnowledge } from '../../../service/cell/pools/durable-memory.ts';
import { eventually } from '../../eventually.ts';

const subject = { kind: 'workload', cluster: 'lab', namespace: 'shop', ownerKind: 'Deployment', name: 'cart' } as const;
const alertOf = (over: Partial<Alert>): Alert => ({
  id: 'a'.repeat(32),
  sensor: 'falco',
  rule: 'Known',
  severity: 'critical',
  time: '2026-06-01T10:00:00Z',
  title: '',
  cluster: 'lab',
  observables: [],
  tags: [],
  mitre: [],
  ...over,
});
const cellKey = new Uint8Array(32).fill(5);
const incident = 'incident/lab/shop/Deployment/cart';
const uid = 'uid-1';

const takenAt = (at: string): HoldTerms => ({ ...holdTermsNow({}), at });
const stateBefore = (over: Partial<BeforeState> = {}): BeforeState => ({
  version: 1,
  incident,
  step: 'the-step',
  podUid: uid,
  labels: { app: 'cart' },
  terms: takenAt('2026-06-01T10:00:00.000Z'),
  ...over,
});
const quarantined = (state = stateBefore()): Pick<PodRecord, 'labels' | 'annotations'> => quarantineMarks(state, cellKey);

const cart = { name: 'cart', image: 'shop/cart:1' };

function podWith(marks: Pick<PodRecord, 'labels' | 'annotations'>): PodRecord {
  return {
    namespace: 'shop',
    name: 'cart-1',
    uid,
    resourceVersion: '1',
    createdAt: '2026-06-01T10:00:00Z',
    owners: [],
    containers: [cart],
    hostNetwork: false,
    deleting: false,
    phase: 'Running',
    secrets: [],
    ...marks,
  };
}

const policy = (name: string, spec: object): PolicyRecord => policyRecord({ metadata: { name, namespace: 'shop' }, spec });
const standing = policy(names.standingPolicy, specOf({}));
const open = policy('open', { podSelector: {}, egress: [{}] });

/** A cluster of one pod, which reports each change as the watch does. */
class World {
  readonly notes: IncidentNote[] = [];
  readonly applied: StepCall[] = [];
  /** What the incident says of what it holds other than pods. */
  said: ReleaseSaid = 'not released';
  /** Whether what is restored stays restored. */
  obeys = true;
  #pod: PodRecord | undefined;
  #policies: readonly PolicyRecord[] = [standing];
  readonly #onPod: ((pod: PodRecord) => void)[] = [];
  readonly #onPolicies: ((namespace: string) => void)[] = [];
  readonly #folder: string;
  readonly #ends: (() => Promise<void>)[] = [];
  #pods: ContainedPods | undefined;

  observers(): readonly string[] | undefined {
    return this.#pods?.observed('uid-1')?.by;
  }
  #landed: LandedSteps | undefined;

  constructor() {
    this.#folder = mkdtempSync(join(tmpdir(), 'firebreak-hold-'));
  }

  /** Starts a cell with what its folder remembers. */
  cell(): HoldContainment {
    const view: Partial<ClusterView> = {
      ready: () => true,
      pods: () => (this.#pod ? [this.#pod] : []),
      podByUid: (wanted) => (wanted === uid ? this.#pod : undefined),
      policies: () => this.#policies.filter(({ kind }) => kind === undefined),
      otherPolicies: () => this.#policies.filter(({ kind }) => kind !== undefined),
      namespaces: () => ['shop'],
      onPod: (listener) => void this.#onPod.push(listener),
      onPolicies: (listener) => void this.#onPolicies.push(listener),
    };
    const knowledge = openKnowledge(join(this.#folder, 'memory'), pino({ level: 'silent' }));
    const pods = new ContainedPods(join(this.#folder, 'contained'), knowledge.alertKinds);
    this.#pods = pods;
    this.#landed = knowledge.landed;
    const hold = new HoldContainment({
      chokepoint: {
        apply: async (call) => {
          this.applied.push(call);
          if (this.obeys) {
            this.change(quarantined());
            this.policies([standing, ...this.#policies.filter(({ name }) => name !== names.standingPolicy)]);
          }
          return { plan: {} as never, output: undefined };
        },
      },
      view: view as ClusterView,
      cellKey,
      pods,
      objects: new HeldObjects({ api: createKubernetesApi({ access: nowhere }), cellKey, actions: [] }),
      madePolicies: knowledge.madePolicies,
      landed: knowledge.landed,
      denyTier: () => undefined,
      exceptions: {},
      toolsImage: 'firebreak/tools',
      note: async (of, note) => {
        expect(of).toBe(incident);
        if (!this.notes.some(({ id }) => id === note.id)) this.notes.push(note);
      },
      lastManager: async () => 'argocd-controller',
      log: pino({ level: 'silent' }),
      everyMs: 10,
      togetherMs: 10,
      unclearMs: 200,
    });
    hold.ask(async () => this.said);
    hold.start();
    this.#ends.push(async () => {
      await hold.stop();
      await pods.close();
      await knowledge.close();
    });
    return hold;
  }

  change(marks: Pick<PodRecord, 'labels' | 'annotations'>, over: Partial<PodRecord> = {}): void {
    this.#pod = { ...podWith(marks), ...over };
    for (const listener of this.#onPod) listener(this.#pod);
  }

  gone(): void {
    this.#pod = undefined;
  }

  policies(policies: readonly PolicyRecord[]): void {
    this.#policies = policies;
    for (const listener of this.#onPolicies) listener('shop');
  }

  async stopCell(): Promise<void> {
    for (const end of this.#ends.splice(0)) await end();
    this.#onPod.splice(0);
    this.#onPolicies.splice(0);
  }

  async end(): Promise<void> {
    await this.stopCell();
    rmSync(this.#folder, { recursive: true });
  }

  /** The chokepoint of this cell has released the pod from this step. */
  gaveBack(step: string): void {
    this.#landed?.gaveBack(step, Date.now(), [{ object: 'pod/shop/cart-1', uid, step }]);
  }

  /** Waits until the cell has looked, and found this many things wrong. */
  async judged(wrong = 0): Promise<void> {
    await eventually('a look', async () => this.#pods?.get(uid)?.held?.told?.length === wrong);
  }

  /** Looks up each alert, as the intake does. */
  resolver(): SubjectResolver {
    if (!this.#pods) throw new Error('no cell');
    return tellingDecided({ resolve: (alert) => ({ alert, subject }) }, this.#pods);
  }

  told(text: string): Promise<IncidentNote> {
    return eventually(`a line: ${text}`, async () => this.notes.find((note) => note.text.includes(text)));
  }
}

const nowhere = { server: 'http://127.0.0.1:1', context: '', tls: {}, authorization: async () => undefined };

let world: World;
afterEach(() => world.end());

function begin(): HoldContainment {
  world = new World();
  const cell = world.cell();
  world.change(quarantined());
  return cell;
}

/** Waits long enough for several looks, of which the cell takes one every 20 ms: nothing must come of them. */
const looks = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 100));

describe('a quarantine', () => {
  const { labels, annotations } = quarantined();
  const { [names.beforeAnnotation]: _, ...withoutNote } = annotations;
  test.each([
    ['label app=cart was added', { labels: { ...labels, app: 'cart' }, annotations }],
    [
      'label firebreak.dev/quarantine was changed from active to off',
      { labels: { ...labels, [names.quarantineLabel]: 'off' }, annotations },
    ],
    ['annotation firebreak.dev/before was removed', { labels, annotations: withoutNote }],
    ['annotation firebreak.dev/before was changed', { labels, annotations: { ...annotations, [names.beforeAnnotation]: '{}' } }],
    [
      'annotation firebreak.dev/before was changed',
      {
        labels,
        annotations: { ...annotations, [names.beforeAnnotation]: sealBeforeState(stateBefore(), new Uint8Array(32).fill(6)) },
      },
    ],
    [
      'annotation firebreak.dev/before was changed',
      // The cell's own earlier note, saved by somebody and put back.
      quarantined(stateBefore({ labels: {}, terms: takenAt('2026-05-01T10:00:00.000Z') })),
    ],
    ['label app=cart was added', { labels: { app: 'cart' }, annotations: {} }],
  ])('is restored by its own step, and reported: %s', async (what, marks) => {
    begin();
    await world.judged();
    world.change(marks);
    const note = await world.told(what);
    expect(note).toMatchObject({ kind: 'containment.reasserted', about: 'pod/shop/cart-1' });
    expect(world.applied[0]).toMatchObject({ key: 'the-step', action: 'quarantinePod', incident: { id: incident } });
    await looks();
    expect(world.notes).toHaveLength(1);
  });

  test('is partial while another policy allows its traffic, which is left alone, and complete once that policy is gone', async () => {
    begin();
    await world.judged();
    world.policies([standing, open]);
    expect(await world.told('networkpolicy/shop/open allows its traffic')).toMatchObject({ kind: 'containment.changed' });
    world.policies([standing]);
    expect(await world.told('is fully in force again')).toMatchObject({ kind: 'containment.whole' });
    expect(world.applied).toEqual([]);
  });

  test('is restored if its deny policy was removed', async () => {
    begin();
    await world.judged();
    world.policies([]);
    await world.told('networkpolicy/shop/firebreak-quarantine is missing');
    expect(world.applied).toHaveLength(1);
  });

  test('is not restored forever: after five times people must decide', async () => {
    begin();
    await world.judged();
    world.obeys = false;
    world.change({ labels: { ...labels, app: 'cart' }, annotations });
    await world.told('somebody must decide (its labels were last set by argocd-controller)');
    expect([world.applied.length, world.notes.length]).toEqual([5, 6]);
  });

  test('reports a policy that comes and goes at most twelve times an hour', async () => {
    begin();
    await world.judged();
    for (let times = 0; times < 5; times += 1) {
      world.policies([standing, open]);
      await world.judged(1);
      world.policies([standing]);
      await world.judged();
    }
    world.policies([standing, open]);
    await world.judged(1);
    world.policies([standing]);
    await looks();
    // It was last reported as open, and counts as open until more is reported.
    const other = policy('other', { podSelector: {}, ingress: [{}] });
    world.policies([standing, other]);
    const last = await world.told('it is not reported again');
    expect(last).toMatchObject({ kind: 'containment.changed', text: expect.stringContaining('networkpolicy/shop/other') });
    for (const policies of [[standing], [standing, open]]) {
      world.policies(policies);
      await looks();
    }
    expect(world.notes).toHaveLength(12);
    world.gone();
    expect(await world.told('is being deleted, or is gone')).toMatchObject({ kind: 'containment.gone' });
  });

  test('is reported when it ends with its pod', async () => {
    begin();
    await world.judged();
    world.gone();
    expect(await world.told('is being deleted, or is gone')).toMatchObject({
      kind: 'containment.gone',
      about: 'pod/shop/cart-1',
    });
    await looks();
    expect([world.applied.length, world.notes.length]).toEqual([0, 1]);
  });

  test('is kept in force while its pod is being deleted, throughout the grace period', async () => {
    begin();
    await world.judged();
    const ending = { deleting: true, endsAt: '2036-06-01T10:00:00Z' };
    world.change({ labels, annotations }, ending);
    const told = await world.told('is being deleted, or is gone, while it is quarantined');
    expect(told).toMatchObject({ kind: 'containment.gone', text: expect.stringContaining('may run until 2036-06-01T10:00:00Z') });
    world.policies([standing, open]);
    await world.told('networkpolicy/shop/open allows its traffic');
    world.change({ labels: { app: 'cart' }, annotations: {} }, ending);
    expect(await world.told('label app=cart was added')).toMatchObject({ kind: 'containment.reasserted' });
    world.gone();
    await looks();
    expect(world.notes.filter(({ kind }) => kind === 'containment.gone')).toHaveLength(1);
  });

  test('is reported once if somebody changes the image of a container, but not for what Firebreak adds', async () => {
    begin();
    const tools = { name: 'firebreak-0123', image: 'firebreak/tools' };
    world.change({ labels, annotations: withoutNote }, { containers: [cart] });
    await world.told('annotation firebreak.dev/before was removed');
    world.change({ labels, annotations }, { containers: [cart, tools] });
    await looks();
    expect(world.notes).toHaveLength(1);
    world.change({ labels, annotations }, { containers: [{ ...cart, image: 'shop/idle:1' }, tools] });
    expect(await world.told('container cart was shop/cart:1 and is now shop/idle:1')).toMatchObject({
      kind: 'containment.changed',
    });
    await looks();
    expect(world.notes).toHaveLength(2);
    world.change({ labels, annotations }, { containers: [cart, tools, { name: 'firebreak-1', image: 'firebreak/tools:2' }] });
    expect((await world.told('somebody added a container')).text).toContain('firebreak-1 (firebreak/tools:2)');
  });

  test('is reported with the cause when its node may stop its containers, and once when all have exited', async () => {
    begin();
    await world.judged();
    const terms = { 'its deadline': '1 s' };
    world.change({ labels, annotations }, { endsBy: terms });
    expect((await world.told('so that its node may stop')).text).toContain('its deadline was not set and is now 1 s');
    world.change({ labels, annotations }, { endsBy: terms, phase: 'Failed' });
    expect(await world.told('all containers of pod/shop/cart-1 have exited (Failed)')).toMatchObject({
      kind: 'containment.gone',
    });
    await looks();
    expect(world.notes.filter(({ text }) => text.includes('have exited'))).toHaveLength(1);
  });

  test('is checked for changes made while the cell was stopped', async () => {
    begin();
    await world.judged();
    await world.stopCell();
    world.change({ labels, annotations: withoutNote });
    world.policies([standing, open]);
    world.cell();
    await world.told('annotation firebreak.dev/before was removed');
    await world.told('networkpolicy/shop/open allows its traffic');
  });
});

type Undo = CellActivities['undoStep'];

function undone(hold: HoldContainment, undoStep: Undo, reason: object): ReturnType<Undo> {
  const call = { action: 'quarantinePod', incident: { id: incident, run: '' } };
  return hold.givingBack({ undoStep } as Partial<CellActivities> as CellActivities).undoStep({ call, reason } as never);
}

describe('what was released', () => {
  const bare = { labels: { app: 'cart' }, annotations: {} };
  const released = (state = stateBefore(), key = cellKey, by: GivenBackBy = 'cell') => ({
    labels: { app: 'cart' },
    annotations: releaseMark(state, by, key),
  });

  test('by the cell’s own undo is left alone', async () => {
    const hold = begin();
    await world.judged();
    const undoStep = async () => {
      world.change(released());
      await looks();
      return { state: 'undone', detail: '' } as const;
    };
    await undone(hold, undoStep, { kind: 'step-failed' });
    await looks();
    expect([world.applied, world.notes]).toEqual([[], []]);
    // If somebody puts its note back, nothing is contained again.
    world.change({ labels: { app: 'cart' }, annotations: quarantined().annotations });
    await looks();
    expect(world.applied).toEqual([]);
  });

  test('by people is remembered with the alerts they knew of, whichever incident the next alert joins', async () => {
    const hold = begin();
    await world.judged();
    const pod = { namespace: 'shop', name: 'cart-1', uid };
    const decidedOn = (over: Partial<Alert>) => world.resolver().resolve(alertOf({ pod, ...over })).alert.decided;
    expect(decidedOn({ rule: 'Known' })).toBeUndefined();
    const votes = ['ana', 'ben'].map((person) => ({ vote: { person, at: new Date().toISOString() } }));
    await looks();
    expect(decidedOn({ rule: 'Too late' })).toBeUndefined();
    const undoStep = async () => {
      world.change(released());
      return { state: 'undone', detail: '' } as const;
    };
    await undone(hold, undoStep, { kind: 'approved', proof: { question: { choices: [] }, choice: 'release', votes } });
    const kinds = [{ rule: 'Known', severity: 'critical' }];
    const decided = await eventually('the decision', async () => decidedOn({ rule: 'Other' }));
    expect(decided).toMatchObject({ by: ['ana', 'ben'], covers: kinds });
    expect(decidedOn({ rule: 'Known', severity: 'medium' })).toBeUndefined();

    await world.stopCell();
    world.cell();
    expect(decidedOn({ rule: 'Known' })).toMatchObject({ covers: kinds });
    world.change(quarantined(stateBefore({ terms: takenAt(new Date(Date.now() + 1_000).toISOString()) })));
    await eventually('the new quarantine', async () => decidedOn({ rule: 'Known' }) === undefined);
  });

  test('by people after a restart is remembered with the alerts they knew of before it', async () => {
    begin();
    await world.judged();
    const pod = { namespace: 'shop', name: 'cart-1', uid };
    const decidedOn = (over: Partial<Alert>) => world.resolver().resolve(alertOf({ pod, ...over })).alert.decided;
    expect(decidedOn({ rule: 'Known' })).toBeUndefined();
    await world.stopCell();
    const hold = world.cell();
    const votes = [{ vote: { person: 'ana', at: new Date().toISOString() } }];
    const undoStep = async () => {
      world.change(released());
      return { state: 'undone', detail: '' } as const;
    };
    await undone(hold, undoStep, { kind: 'approved', proof: { question: { choices: [] }, choice: 'release', votes } });
    const decided = await eventually('the decision', async () => decidedOn({ rule: 'Other' }));
    expect(decided).toMatchObject({ by: ['ana'], covers: [{ rule: 'Known', severity: 'critical' }] });
  });

  test('by another replica is left alone, thanks to the mark it sealed onto the pod', async () => {
    begin();
    await world.judged();
    world.change(released());
    await looks();
    expect([world.applied, world.notes]).toEqual([[], []]);
  });

  test('under observation is observed by a replica that did not release it, or had crashed, thanks to the mark', async () => {
    begin();
    await world.judged();
    world.change({ labels: { app: 'cart' }, annotations: releaseMark(stateBefore(), 'cell', cellKey, ['ana']) });
    await looks();
    expect([world.applied, world.notes, world.observers()]).toEqual([[], [], ['ana']]);
  });

  test('by this cell is left alone even if somebody removes the mark at once', async () => {
    begin();
    await world.judged();
    world.gaveBack('the-step');
    world.change(bare);
    await looks();
    expect([world.applied, world.notes]).toEqual([[], []]);
  });

  test.each([
    ['no mark', bare],
    ['a release by this cell of another step', bare],
    ['a mark sealed with another key', released(stateBefore(), new Uint8Array(32).fill(6))],
    ['the mark of another pod', released(stateBefore({ podUid: 'uid-2' }))],
    ['the mark of an earlier quarantine of this pod', released(stateBefore({ terms: takenAt('2026-05-01T10:00:00.000Z') }))],
    ['the mark of another step', released(stateBefore({ step: 'another-step' }))],
    ['an invalid mark', { labels: { app: 'cart' }, annotations: { [names.releasedAnnotation]: '{}' } }],
  ])(
    'does not include pods that only look released: without our marks and with %s, a pod is quarantined again',
    async (_, marks) => {
      begin();
      await world.judged();
      world.gaveBack('another-step');
      world.change(marks);
      await world.told('and it is in force again');
      expect(world.applied).toHaveLength(1);
    },
  );

  test('by hand with the cell’s key stays released, and is reported', async () => {
    begin();
    await world.judged();
    world.change(released(stateBefore(), cellKey, 'hand'));
    expect(await world.told('was removed by hand with the cell’s key')).toMatchObject({ kind: 'containment.changed' });
    await looks();
    expect([world.applied.length, world.notes.length]).toEqual([0, 1]);
  });

  test('by hand while the cell was stopped stays released, and is reported', async () => {
    begin();
    await world.judged();
    await world.stopCell();
    world.change(bare);
    world.cell();
    expect(await world.told('was removed by hand while the cell was stopped')).toMatchObject({ kind: 'containment.changed' });
    await looks();
    expect([world.applied.length, world.notes.length]).toEqual([0, 1]);
  });
});

describe('a policy that a wider step created', () => {
  const object = 'networkpolicy/shop/firebreak-isolate-1';
  const deny = { podSelector: {}, policyTypes: ['Ingress', 'Egress'] };
  const change = { kind: 'made', digest: digestOf({ spec: deny }) } as const;
  const note = { version: 2, incident, step: 's', action: 'isolateNamespace', object, change, terms: holdTermsNow({}) } as const;
  const isolating = (spec: object, key = cellKey): PolicyRecord =>
    policyRecord({
      metadata: {
        name: 'firebreak-isolate-1',
        namespace: 'shop',
        uid: 'p-1',
        annotations: { [noteAnnotation('isolateNamespace')]: sealNote(note, key) },
      },
      spec,
    });

  test('is reported when somebody changes it, and when it disappears', async () => {
    world = new World();
    world.cell();
    world.policies([standing, isolating(deny)]);
    world.policies([standing, isolating({ ...deny, egress: [{}] })]);
    expect(await world.told(`${object}, which this incident created, is no longer fully in force: it was changed`)).toMatchObject(
      {
        kind: 'containment.changed',
        about: object,
      },
    );
    world.policies([standing]);
    await world.told(`${object}, which this incident created, is gone`);
    expect(world.applied).toEqual([]);
  });

  test('is reported if somebody changed it while the cell was stopped', async () => {
    world = new World();
    world.cell();
    world.policies([standing, isolating({ ...deny, egress: [{}] })]);
    await world.told('is no longer fully in force: it was changed');
  });

  test('is reported if somebody deleted it while the cell was stopped, but not if a replica released it', async () => {
    world = new World();
    world.cell();
    world.policies([standing, isolating(deny)]);
    await world.stopCell();
    world.policies([standing]);
    world.said = 'released';
    world.cell();
    await looks();
    expect(world.notes).toEqual([]);

    world.policies([standing, isolating(deny)]);
    await world.stopCell();
    world.policies([standing]);
    world.said = 'not released';
    world.cell();
    await world.told(`${object}, which this incident created, is gone`);
  });

  test('is reported when a new policy allows what it denies, and when that is gone; not for one that existed before', async () => {
    world = new World();
    const hold = world.cell();
    const before = policy('before', { podSelector: {}, ingress: [{}] });
    world.policies([standing, before, isolating(deny)]);
    await looks();
    expect(world.notes).toEqual([]);
    world.policies([standing, before, open, isolating(deny)]);
    expect(await world.told('networkpolicy/shop/open allows what it denies')).toMatchObject({
      kind: 'containment.changed',
      about: object,
    });
    expect(hold.containments()).toMatchObject([
      { problems: ['networkpolicy/shop/before allows what it denies', 'networkpolicy/shop/open allows what it denies'] },
    ]);
    world.policies([standing, isolating(deny)]);
    await world.told(`${object} is back as it was`);
  });

  test('that blocks addresses is reported when another policy lets its pods reach them, and when a pod is no longer selected', async () => {
    world = new World();
    world.cell();
    const to = [{ ipBlock: { cidr: '0.0.0.0/0', except: ['203.0.113.7/32'] } }];
    const spec = { podSelector: { matchLabels: { app: 'cart' } }, policyTypes: ['Egress'], egress: [{ to }] };
    const said = {
      ...note,
      action: 'blockEgress',
      object: 'networkpolicy/shop/firebreak-egress-1',
      change: { kind: 'made', digest: digestOf({ spec }), denies: ['203.0.113.7/32'] },
    } as const;
    const annotations = { [noteAnnotation('blockEgress')]: sealNote(said, cellKey) };
    const blocking = policyRecord({ metadata: { name: 'firebreak-egress-1', namespace: 'shop', uid: 'p-1', annotations }, spec });
    const reaching = (name: string, app: string, cidr: string): PolicyRecord =>
      policy(name, { podSelector: { matchLabels: { app } }, egress: [{ to: [{ ipBlock: { cidr } }] }] });
    world.change({ labels: { app: 'cart' }, annotations: {} });
    world.policies([blocking, reaching('elsewhere', 'cart', '198.51.100.0/24'), reaching('others', 'web', '203.0.113.0/24')]);
    await looks();
    expect(world.notes).toEqual([]);
    world.policies([blocking, reaching('there', 'cart', '203.0.113.0/24')]);
    await world.told('networkpolicy/shop/there allows what it denies');
    world.policies([blocking]);
    await world.told('is back as it was');
    world.change({ labels: { app: 'mine' }, annotations: {} });
    await world.told('the labels of pod/shop/cart-1 have changed, and the policy no longer selects it');
  });

  test('is reported when a pod appears that it does not cover because it uses the host network', async () => {
    world = new World();
    world.cell();
    world.policies([standing, isolating(deny)]);
    await looks();
    world.change({ labels: { app: 'cart' }, annotations: {} }, { hostNetwork: true });
    await world.told('pod/shop/cart-1 uses the network of its node, where no policy applies');
  });

  test('is not reported as gone if its incident says that a replica has released it', async () => {
    world = new World();
    world.cell();
    world.said = 'released';
    world.policies([standing, isolating(deny)]);
    world.policies([standing]);
    await looks();
    expect(world.notes).toEqual([]);
  });

  test('is reported as gone if its incident says forever that it is being released', async () => {
    world = new World();
    world.cell();
    world.said = 'being released';
    world.policies([standing, isolating(deny)]);
    world.policies([standing]);
    await world.told(`${object}, which this incident created, is gone`);
  });

  test('is not reported while its incident releases it, nor if the cell did not create it', async () => {
    world = new World();
    const hold = world.cell();
    world.policies([standing, isolating(deny)]);
    const undoStep = async () => {
      world.policies([standing]);
      return { state: 'undone', detail: '' } as const;
    };
    await undone(hold, undoStep, { kind: 'step-failed' });
    world.policies([standing, isolating(deny, new Uint8Array(32).fill(6))]);
    world.policies([standing]);
    await looks();
    expect(world.notes).toEqual([]);
  });
});

describe('a note on a pod', () => {
  test.each([
    ['is sealed by another cell', sealBeforeState(stateBefore(), new Uint8Array(32).fill(6))],
    ['belongs to another pod', sealBeforeState(stateBefore({ podUid: 'uid-2' }), cellKey)],
    ['cannot be read', '{'],
  ])('has no effect if it %s', async (_what, text) => {
    world = new World();
    world.cell();
    world.change({ labels: { app: 'cart' }, annotations: { [names.beforeAnnotation]: text } });
    world.change({ labels: { [names.quarantineLabel]: 'active' }, annotations: { [names.beforeAnnotation]: text } });
    await looks();
    expect([world.applied, world.notes]).toEqual([[], []]);
  });
});
