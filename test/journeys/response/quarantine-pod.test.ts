import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { quarantinePodImplementation } from '../../../activities/actions/containment/quarantine-pod.ts';
import { quarantineWorkloadImplementation } from '../../../activities/actions/containment/quarantine-workload.ts';
import {
  authenticState,
  type BeforeState,
  givenBackBy,
  openBeforeState,
  quarantineLabels,
  sealBeforeState,
} from '../../../core/cluster/before-state.ts';
import { names } from '../../../core/cluster/labels.ts';
import { FirebreakError } from '../../../core/errors.ts';
import { holdTermsNow, type ReleasedObject } from '../../../core/incident/hold.ts';
import { type KubernetesApi, pathOf } from '../../../integrations/kubernetes/client.ts';
import { readStandingPolicy } from '../../../integrations/kubernetes/policies/standing-policy.ts';
import type { PodJson } from '../../../integrations/kubernetes/watch/projection.ts';
import { comparable } from '../../comparable.ts';
import { cellKey, openCluster, resolved, stepContext, until } from '../../platform/kubernetes/parts/cluster.ts';
import { boundClaim } from '../../platform/kubernetes/parts/snapshotter.ts';
import { testPlatform } from '../../platform.ts';

const platform = await testPlatform();

describe('quarantining a pod', () => {
  let cluster: Awaited<ReturnType<typeof openCluster>>;
  let namespace: string;
  beforeAll(async () => {
    cluster = await openCluster(platform.kubeconfig);
    namespace = await platform.freshNamespace();
  });
  afterAll(() => cluster.close());
  const action = (api: KubernetesApi = cluster.api) => quarantinePodImplementation({ api, view: cluster.view, cellKey });
  const stateOf = ({ metadata }: PodJson): BeforeState => {
    const state = authenticState({
      text: metadata?.annotations?.[names.beforeAnnotation],
      podUid: metadata?.uid ?? '',
      key: cellKey,
    });
    if (!state) throw new Error('no note');
    return state;
  };
  const labels = { app: 'cart', 'app.kubernetes.io/part-of': 'shop' };
  const metadata = { labels, annotations: { owner: 'team-cart' } };

  test('changes exactly what the plan said, and the undo restores the pod byte for byte, except for the mark that says so', async () => {
    const before = await cluster.makePod(namespace, 'exact', { metadata });
    const [input, context] = [{ pod: resolved(before) }, stepContext()];
    const plan = await action().plan(input, context);
    const output = await action().apply(input, context);
    const after = await cluster.pod(namespace, 'exact');
    expect(plan.target).toEqual({ name: `pod/${namespace}/exact`, uid: before.metadata?.uid });
    expect(plan.changes[0]?.what).toContain('app.kubernetes.io/part-of=shop, app=cart');
    expect(plan.blastRadius).toEqual([`networkpolicy/${namespace}/${names.standingPolicy}`, `pod/${namespace}/exact`]);
    expect(after.metadata?.labels).toEqual(quarantineLabels(context.incident));
    expect(output.labelsBefore).toEqual(labels);
    expect(output.policyCreated).toBe(true);
    expect(await readStandingPolicy({ api: cluster.api, namespace })).toMatchObject({
      spec: { podSelector: { matchLabels: { [names.quarantineLabel]: 'active' } }, policyTypes: ['Ingress', 'Egress'] },
    });
    expect(await action().plan(input, context)).toEqual(plan);

    expect(await action().undo({ input, output, key: context.key }, context)).toMatchObject({ state: 'undone' });
    const { metadata: given, ...rest } = await cluster.pod(namespace, 'exact');
    expect(comparable({ ...rest, metadata: given })).toEqual(comparable({ ...before }));
    const left = Object.keys(given?.annotations ?? {}).filter((key) => !(key in (before.metadata?.annotations ?? {})));
    expect(left).toEqual([names.releasedAnnotation]);
    const held = stateOf(after);
    const marked = { uid: given?.uid ?? '', annotations: given?.annotations ?? {} };
    expect([givenBackBy(marked, held, cellKey), givenBackBy(marked, held, new Uint8Array(32).fill(9))]).toEqual([
      'cell',
      undefined,
    ]);
    expect(await action().undo({ input, output, key: context.key }, context)).toMatchObject({ state: 'already' });
  });

  test('is undone only from its own note when somebody has removed all marks from the pod, which then says so', async () => {
    const pod = await cluster.makePod(namespace, 'robbed', { metadata });
    const [input, context] = [{ pod: resolved(pod) }, stepContext()];
    await action().apply(input, context);
    const quarantined = await cluster.pod(namespace, 'robbed');
    const note = quarantined.metadata?.annotations?.[names.beforeAnnotation];
    await cluster.patchPod(namespace, 'robbed', {
      labels: { [names.quarantineLabel]: null, [names.incidentLabel]: null, app: 'mine' },
      annotations: { [names.beforeAnnotation]: null, [names.stepAnnotation]: null, [names.incidentAnnotation]: null },
    });
    const remembering = quarantinePodImplementation({ api: cluster.api, view: cluster.view, cellKey, noteOf: () => note });
    const allow = async (notes: readonly ReleasedObject[]) => {
      expect(notes).toMatchObject([{ object: `pod/${namespace}/robbed`, step: context.key, uid: pod.metadata?.uid }]);
      throw new FirebreakError('FB_ERR_APPROVAL_INVALID', 'silence never frees it');
    };
    await expect(remembering.undo({ input, key: context.key, allow }, context)).rejects.toMatchObject({
      code: 'FB_ERR_APPROVAL_INVALID',
    });
    expect((await cluster.pod(namespace, 'robbed')).metadata?.annotations).not.toHaveProperty([names.releasedAnnotation]);
    const result = await remembering.undo({ input, key: context.key, allow: async () => undefined }, context);
    expect(result).toMatchObject({ state: 'already' });
    const { labels: kept, annotations = {}, uid = '' } = (await cluster.pod(namespace, 'robbed')).metadata ?? {};
    expect([kept, givenBackBy({ uid, annotations }, stateOf(quarantined), cellKey)]).toEqual([{ app: 'mine' }, 'cell']);
  });

  test('is one mutating call on the fast path, and none when repeated', async () => {
    const pod = await cluster.makePod(namespace, 'fast', { metadata });
    const [input, context] = [{ pod: resolved(pod) }, stepContext({ fast: true })];
    const from = platform.auditEvents().length;
    const calls = () =>
      platform
        .auditEvents()
        .slice(from)
        .filter(({ userAgent, stage, verb }) => userAgent === 'firebreak' && stage === 'ResponseComplete' && verb !== 'watch');
    await action().plan(input, context);
    const output = await action().apply(input, context);
    const settled = await cluster.pod(namespace, 'fast');
    expect(await action().apply(input, context)).toEqual(output);
    expect((await cluster.pod(namespace, 'fast')).metadata?.resourceVersion).toBe(settled.metadata?.resourceVersion);
    await until(async () => (calls().length >= 4 ? true : undefined));
    expect(calls().map(({ verb, objectRef }) => `${verb} ${objectRef?.resource}`)).toEqual([
      'patch pods',
      'get pods',
      'get pods',
      'get pods',
    ]);
    expect(await action().started(input, context)).toBe(true);
    expect(await action().started(input, stepContext())).toBe(false);
  });

  test('resumes where it was interrupted, and never mistakes its own labels for the pod’s', async () => {
    const other = await platform.freshNamespace();
    const pod = await cluster.makePod(other, 'cut', { metadata });
    const [input, context] = [{ pod: resolved(pod) }, stepContext()];
    const answerLost: KubernetesApi = {
      ...cluster.api,
      async json<T>(call: Parameters<KubernetesApi['json']>[0]): Promise<T> {
        const answer = await cluster.api.json<T>(call);
        if (call.method === 'PATCH') throw new Error('killed after the patch');
        return answer;
      },
    };
    await expect(action(answerLost).apply(input, context)).rejects.toThrow('killed after the patch');
    const after = await cluster.pod(other, 'cut');
    const output = await action().apply(input, context);
    expect(output.labelsBefore).toEqual(labels);
    expect((await cluster.pod(other, 'cut')).metadata?.resourceVersion).toBe(after.metadata?.resourceVersion);
    await action().undo({ input, key: context.key }, context);
    expect(comparable({ ...(await cluster.pod(other, 'cut')) })).toEqual(comparable({ ...pod }));
  });

  test('keeps what somebody changes between its look and its patch, and gives it back', async () => {
    const own = await platform.freshNamespace();
    await cluster.makePod(own, 'changing', { metadata });
    const [input, context] = [{ pod: resolved(await cluster.pod(own, 'changing')) }, stepContext()];
    let isChanged = false;
    const overtaken: KubernetesApi = {
      ...cluster.api,
      async json<T>(call: Parameters<KubernetesApi['json']>[0]): Promise<T> {
        if (call.method === 'PATCH' && !isChanged) {
          isChanged = true;
          const body = { metadata: { labels: { canary: 'yes' } } };
          const path = pathOf({ resource: 'pods', namespace: own, name: 'changing' });
          await cluster.api.json({ method: 'PATCH', patch: 'merge', path, body, what: 'patch pods' });
        }
        return cluster.api.json<T>(call);
      },
    };
    const output = await action(overtaken).apply(input, context);
    expect(isChanged).toBe(true);
    expect(output.labelsBefore).toEqual({ ...labels, canary: 'yes' });
    await action().undo({ input, output, key: context.key }, context);
    expect((await cluster.pod(own, 'changing')).metadata?.labels).toEqual({ ...labels, canary: 'yes' });
  });

  test('leaves siblings and others’ policies alone, and the ReplicaSet starts a new pod', async () => {
    const own = await platform.freshNamespace();
    await cluster.post(pathOf({ group: 'networking.k8s.io', resource: 'networkpolicies', namespace: own }), {
      metadata: { name: 'cart-ingress' },
      spec: { podSelector: { matchLabels: { app: 'cart' } }, ingress: [{}], policyTypes: ['Ingress'] },
    });
    await cluster.post(pathOf({ resource: 'services', namespace: own }), {
      metadata: { name: 'cart' },
      spec: { selector: { app: 'cart' }, ports: [{ port: 80 }] },
    });
    const [suspect, sibling] = await cluster.makeDeployment(own, 'cart');
    if (!suspect || !sibling) throw new Error('two replicas were asked for');
    const policies = await cluster.get(
      pathOf({ group: 'networking.k8s.io', resource: 'networkpolicies', namespace: own, name: 'cart-ingress' }),
    );
    const [input, context] = [{ pod: resolved(suspect) }, stepContext()];
    const plan = await action().plan(input, context);
    const owner = suspect.metadata?.ownerReferences?.[0]?.name;
    expect(plan.notes).toContain('Service cart loses this endpoint.');
    expect(plan.notes[0]).toBe(`ReplicaSet ${owner} lets go of the pod and starts a new pod in its place.`);
    const output = await action().apply(input, context);
    const replaced = await until(async () => {
      const cart = (await cluster.pods(own)).filter(({ metadata }) => metadata?.labels?.app === 'cart');
      return cart.length === 2 ? cart : undefined;
    });
    expect(replaced.map(({ metadata }) => metadata?.uid)).toContain(sibling.metadata?.uid);
    expect((await cluster.pod(own, sibling.metadata?.name ?? '')).spec).toEqual(sibling.spec);
    expect(
      await cluster.get(
        pathOf({ group: 'networking.k8s.io', resource: 'networkpolicies', namespace: own, name: 'cart-ingress' }),
      ),
    ).toEqual(policies);
    await until(async () =>
      (await cluster.pod(own, input.pod.name)).metadata?.ownerReferences === undefined ? true : undefined,
    );
    expect(await action().plan(input, context)).toEqual(plan);
    expect(await action().verify(output, context)).toMatchObject({ state: 'unverified' });
    const annotation = (await cluster.pod(own, input.pod.name)).metadata?.annotations?.[names.beforeAnnotation];
    expect(openBeforeState({ text: annotation, podUid: input.pod.uid, key: cellKey })).toMatchObject({
      authentic: 'yes',
      state: { workload: { kind: 'Deployment', name: 'cart' } },
    });
  });

  test('has the configured exceptions in its policy, plan and report, and corrects a policy without them', async () => {
    const own = await platform.freshNamespace();
    const pod = await cluster.makePod(own, 'excepted', { metadata });
    const [input, context] = [{ pod: resolved(pod) }, stepContext()];
    await action().apply(input, context);
    const dns = {
      namespace: 'kube-system',
      podLabels: { 'k8s-app': 'kube-dns' },
      addresses: ['169.254.20.10/32', 'fd00::a/128'],
    };
    const exceptions = { dns, forensics: { namespace: 'forensics' } };
    const excepting = quarantinePodImplementation({ api: cluster.api, view: cluster.view, cellKey, exceptions });
    const plan = await excepting.plan(input, context);
    const dnsSaid =
      'y configuration it may still query DNS (port 53 of pods k8s-app=kube-dns in kube-system, 169.254.20.10/32, fd00::a/128): a tunnel through DNS stays open';
    const forensicsSaid = 'y configuration the pods of namespace forensics may still connect to it';
    expect(plan.notes).toEqual(expect.arrayContaining([`B${dnsSaid}.`, `B${forensicsSaid}.`]));
    const output = await excepting.apply(input, context);
    expect(output).toMatchObject({ policyCreated: true, exceptions: [`b${dnsSaid}`, `b${forensicsSaid}`] });
    expect((await excepting.apply(input, context)).policyCreated).toBe(false);
    expect(await excepting.verify(output, context)).toMatchObject({
      state: 'unverified',
      detail: expect.stringContaining(`established connections may survive; b${dnsSaid}; b${forensicsSaid}`),
    });
    await expect(action().verify(output, context)).rejects.toMatchObject({ code: 'FB_ERR_DRIFTED' });
    expect(await excepting.undo({ input, output, key: context.key }, context)).toMatchObject({ state: 'undone' });
    expect(comparable({ ...(await cluster.pod(own, 'excepted')) })).toEqual(comparable({ ...pod }));
  });

  test('contains a pod even if the API server refuses the exceptions, and says that they are not in force', async () => {
    const own = await platform.freshNamespace();
    const input = { pod: resolved(await cluster.makePod(own, 'refused', { metadata })) };
    const context = stepContext();
    const dns = { namespace: 'kube-system', podLabels: { app: 'no value of a label' }, addresses: [] };
    const exceptions = { dns, forensics: { namespace: 'forensics' } };
    const excepting = quarantinePodImplementation({ api: cluster.api, view: cluster.view, cellKey, exceptions });
    const notInForce = 'the configured exceptions are not in force: the API server has refused a policy that has them';
    const output = await excepting.apply(input, context);
    expect(output.exceptions).toEqual([notInForce]);
    expect((await cluster.pod(own, 'refused')).metadata?.labels).toEqual(quarantineLabels(context.incident));
    expect((await readStandingPolicy({ api: cluster.api, namespace: own }))?.spec).not.toHaveProperty('egress');
    expect(await excepting.verify(output, context)).toMatchObject({
      state: 'unverified',
      detail: expect.stringContaining(`established connections may survive; ${notInForce}`),
    });
    expect(await action().verify(output, context)).toMatchObject({ state: 'unverified' });
  });

  test('names what it does not cut: a volume claim, the pods that share it, and an extra network', async () => {
    const own = await platform.freshNamespace();
    const claim = await boundClaim(cluster, own, 'data');
    const spec = { volumes: [{ name: 'data', persistentVolumeClaim: { claimName: 'data' } }] };
    const annotations = { 'k8s.v1.cni.cncf.io/networks': 'storage-net@eth1' };
    const pod = await cluster.makePod(own, 'suspect', { metadata: { annotations }, spec });
    const [input, context] = [{ pod: resolved(pod) }, stepContext({ fast: true })];
    const plan = await action().plan(input, context);
    expect(plan.notes).toContainEqual(expect.stringContaining('Not cut: volume claim data. Other pods may use'));
    const alone = ["network storage-net is not cut: NetworkPolicies apply only to the cluster's own network"];
    expect((await action().apply(input, context)).exceptions).toEqual(alone);

    await cluster.makePod(own, 'reader', { spec });
    const output = await action().apply(input, context);
    expect(output.exceptions).toEqual([...alone, 'volume claim data is shared with pod reader']);
    expect(await action().verify(output, context)).toMatchObject({
      state: 'unverified',
      detail: expect.stringContaining(`established connections may survive; ${output.exceptions?.join('; ')}`),
    });
    // An approval covers exactly this, no matter who else mounts it by now.
    expect(await action().plan(input, stepContext({ ...context, fast: false }))).toEqual(plan);
    await claim.remove();
  });

  test('reports partial and names the policy that still allows traffic', async () => {
    const own = await platform.freshNamespace();
    await cluster.post(pathOf({ group: 'networking.k8s.io', resource: 'networkpolicies', namespace: own }), {
      metadata: { name: 'allow-dns' },
      spec: { podSelector: {}, egress: [{ ports: [{ port: 53, protocol: 'UDP' }] }], policyTypes: ['Egress'] },
    });
    await cluster.post(pathOf({ group: 'networking.k8s.io', resource: 'networkpolicies', namespace: own }), {
      metadata: { name: 'default-deny' },
      spec: { podSelector: {}, policyTypes: ['Ingress'] },
    });
    const input = { pod: resolved(await cluster.makePod(own, 'leaky', { metadata })) };
    const context = stepContext();
    expect((await action().plan(input, context)).notes.join()).toContain('NetworkPolicy allow-dns still selects the pod');
    const output = await action().apply(input, context);
    expect(output.additivePolicies).toEqual(['allow-dns']);
    expect(await action().verify(output, context)).toMatchObject({
      state: 'partial',
      missing: [`networkpolicy/${own}/allow-dns`],
    });
  });

  test.each([
    ['hostNetwork', { spec: { hostNetwork: true } }, 'uses the network of its node'],
    [
      'mirror',
      { metadata: { annotations: { 'kubernetes.io/config.mirror': 'x' } }, spec: { automountServiceAccountToken: false } },
      'is a mirror pod',
    ],
  ])('refuses a %s pod with the reason', async (name, shape, reason) => {
    const [node] = (await cluster.get<{ items: { metadata: { name: string } }[] }>('/api/v1/nodes')).items;
    const made = await cluster.makePod(namespace, name.toLowerCase(), {
      ...shape,
      spec: { ...shape.spec, nodeName: node?.metadata.name },
    });
    const input = { pod: resolved(made) };
    const refusal = { code: 'FB_ERR_REFUSED', detail: expect.stringContaining(reason) };
    await expect(action().plan(input, stepContext({ fast: true }))).rejects.toMatchObject(refusal);
    await expect(action().apply(input, stepContext())).rejects.toMatchObject(refusal);
    expect((await cluster.pod(namespace, input.pod.name)).metadata?.resourceVersion).toBe(made.metadata?.resourceVersion);
  });

  test('refuses another pod of the same name, and a pod that another incident holds', async () => {
    const input = { pod: resolved(await cluster.makePod(namespace, 'held', { metadata })) };
    const wrong = { pod: { ...input.pod, uid: '00000000-0000-0000-0000-000000000000' } };
    await expect(action().apply(wrong, stepContext())).rejects.toMatchObject({ code: 'FB_ERR_TARGET_REPLACED' });
    await action().apply(input, stepContext({ incident: 'incident/test/shop/Deployment/first' }));
    await expect(action().apply(input, stepContext())).rejects.toMatchObject({
      code: 'FB_ERR_REFUSED',
      detail: expect.stringContaining('incident/test/shop/Deployment/first'),
    });
  });

  test.each([
    ['full', { full: 'x'.repeat(262_100) }, {}, { annotations: 1, labels: 0 }],
    ['spared', { small: 'x', 'karpenter.sh/do-not-disrupt': 'x'.repeat(262_000) }, {}, { annotations: 1, labels: 0 }],
    [
      'own-names',
      { 'firebreak.dev/a': 'x'.repeat(131_000), 'firebreak.dev/b': 'x'.repeat(131_000) },
      {},
      { annotations: 2, labels: 0 },
    ],
    [
      'labelled',
      { small: 'x' },
      Object.fromEntries(Array.from({ length: 400 }, (_, n) => [`${'n'.repeat(240)}/${n}`, 'v'.repeat(60)])),
      { annotations: 0, labels: 189 },
    ],
  ])('contains a pod that was built so that no note fits: %s', async (name, annotations, more, lost) => {
    const made = await cluster.makePod(namespace, name, { metadata: { labels: { ...labels, ...more }, annotations } });
    const [input, context] = [{ pod: resolved(made) }, stepContext()];
    const plan = await action().plan(input, context);
    expect(plan.notes.join()).toContain(`${lost.annotations} annotations are removed, and they and ${lost.labels} of its labels`);
    const output = await action().apply(input, context);
    const after = await cluster.pod(namespace, name);
    expect(after.metadata?.labels).toEqual(quarantineLabels(context.incident));
    expect(stateOf(after).lost).toEqual(lost);
    expect(await action().plan(input, context)).toEqual(plan);
    expect(await action().undo({ input, output, key: context.key }, context)).toMatchObject({ state: 'undone' });
    const given = await cluster.pod(namespace, name);
    expect(given.metadata?.labels).toMatchObject(labels);
    expect(Object.keys(given.metadata?.labels ?? {})).toHaveLength(2 + Object.keys(more).length - lost.labels);
    expect(given.metadata?.annotations).toMatchObject('small' in annotations ? { small: 'x' } : {});
  });

  test('contains a pod that carries a forged mark', async () => {
    const forged = sealBeforeState(
      { version: 1, incident: 'incident/other', step: 'x', podUid: 'x', labels: {}, terms: holdTermsNow({}) },
      new Uint8Array(32).fill(1),
    );
    const input = {
      pod: resolved(
        await cluster.makePod(namespace, 'evader', { metadata: { labels, annotations: { [names.beforeAnnotation]: forged } } }),
      ),
    };
    expect((await action().apply(input, stepContext())).labelsBefore).toEqual(labels);
  });

  test('refuses the undo, and describes the difference, when labels were changed or the before-state was edited', async () => {
    const input = { pod: resolved(await cluster.makePod(namespace, 'drift', { metadata })) };
    const context = stepContext();
    const output = await action().apply(input, context);
    await cluster.patchPod(namespace, 'drift', { labels: { sneaky: 'yes', [names.incidentLabel]: null } });
    const undo = () => action().undo({ input, output, key: context.key }, context);
    expect(await undo()).toMatchObject({
      state: 'drifted',
      difference: [expect.stringContaining(`label ${names.incidentLabel}=`), 'label sneaky=yes was added'],
    });
    expect((await cluster.pod(namespace, 'drift')).metadata?.labels).toHaveProperty('sneaky', 'yes');
    await action().apply(input, context);
    const text = (await cluster.pod(namespace, 'drift')).metadata?.annotations?.[names.beforeAnnotation] ?? '';
    await cluster.patchPod(namespace, 'drift', {
      annotations: { [names.beforeAnnotation]: text.replace('"app":"cart"', '"app":"root"') },
    });
    expect(await undo()).toMatchObject({ state: 'drifted', difference: [expect.stringContaining('somebody edited it')] });
    expect((await cluster.pod(namespace, 'drift')).metadata?.labels).toEqual(quarantineLabels(context.incident));
    await cluster.patchPod(namespace, 'drift', { annotations: { [names.beforeAnnotation]: text } });
    expect(await undo()).toMatchObject({ state: 'undone' });
  });

  test('states its side effects on budgets, scalers, liveness and owners, and keeps autoscalers off the pod until the exact undo', async () => {
    const own = await platform.freshNamespace();
    const spec = {
      containers: [
        {
          name: 'main',
          image: 'shop/cart:1',
          livenessProbe: { httpGet: { path: '/', port: 80 }, periodSeconds: 5, failureThreshold: 4 },
        },
      ],
    };
    await cluster.post(pathOf({ group: 'policy', resource: 'poddisruptionbudgets', namespace: own }), {
      metadata: { name: 'most' },
      spec: { minAvailable: 1, selector: { matchLabels: { app: 'cart' } } },
    });
    await cluster.post(pathOf({ group: 'autoscaling', version: 'v2', resource: 'horizontalpodautoscalers', namespace: own }), {
      metadata: { name: 'load' },
      spec: { minReplicas: 1, maxReplicas: 3, scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'cart' } },
    });
    const [made] = await cluster.makeDeployment(own, 'cart', { replicas: 1, spec });
    const name = made?.metadata?.name ?? '';
    const before = await cluster.settled(
      await cluster.patchPod(own, name, { annotations: { 'cluster-autoscaler.kubernetes.io/safe-to-evict': 'true' } }),
    );
    await until(async () => (cluster.view.budgets(own)?.length && cluster.view.scalers(own)?.length ? true : undefined));
    const [input, context] = [{ pod: resolved(before) }, stepContext({ fast: true })];
    const plan = await action().plan(input, context);
    const owner = before.metadata?.ownerReferences?.[0]?.name;
    expect(plan.notes).toEqual(
      expect.arrayContaining([
        `On release ReplicaSet ${owner} takes it back, has one pod too many, and ends one, starting with pods that are not ready.`,
        'PodDisruptionBudget most is bypassed: it no longer counts this pod, and does not delay the quarantine.',
        'HorizontalPodAutoscaler load no longer counts this pod or its load.',
        'If its probe needs the network, liveness will restart container main in 20 s: memory and files are lost.',
      ]),
    );
    await action().apply(input, context);
    const spared = (await cluster.pod(own, name)).metadata?.annotations;
    expect(spared).toMatchObject({
      'cluster-autoscaler.kubernetes.io/safe-to-evict': 'false',
      'karpenter.sh/do-not-disrupt': 'true',
    });
    await until(async () => ((await cluster.pod(own, name)).metadata?.ownerReferences ? undefined : true));
    expect(await action().plan(input, context)).toEqual(plan);
    await cluster.patchPod(own, name, { annotations: { 'karpenter.sh/do-not-disrupt': null } });
    const undo = () => action().undo({ input, key: context.key }, context);
    expect(await undo()).toMatchObject({
      state: 'drifted',
      difference: ['annotation karpenter.sh/do-not-disrupt was changed from true to nothing'],
    });
    await cluster.patchPod(own, name, { annotations: { 'karpenter.sh/do-not-disrupt': 'true' } });
    expect(await undo()).toMatchObject({ state: 'undone' });
    const { [names.releasedAnnotation]: mark, ...annotations } = (await cluster.pod(own, name)).metadata?.annotations ?? {};
    expect([typeof mark, annotations]).toEqual(['string', before.metadata?.annotations]);
  });

  test('reports gone when the pod is gone', async () => {
    const input = { pod: resolved(await cluster.makePod(namespace, 'gone', { metadata })) };
    const context = stepContext();
    await action().apply(input, context);
    await cluster.api.json({
      method: 'DELETE',
      path: pathOf({ resource: 'pods', namespace, name: 'gone' }),
      body: { gracePeriodSeconds: 0 },
      what: 'delete',
    });
    expect(await action().undo({ input, key: context.key }, context)).toMatchObject({ state: 'gone' });
    await expect(action().apply(input, stepContext())).rejects.toMatchObject({ code: 'FB_ERR_NOT_FOUND' });
  });
});

describe('releasing the pods of a quarantined workload', () => {
  let cluster: Awaited<ReturnType<typeof openCluster>>;
  beforeAll(async () => {
    cluster = await openCluster(platform.kubeconfig);
  });
  afterAll(() => cluster.close());
  const noMarks = {
    labels: { [names.quarantineLabel]: null, [names.incidentLabel]: null, app: 'mine' },
    annotations: { [names.beforeAnnotation]: null, [names.stepAnnotation]: null, [names.incidentAnnotation]: null },
  };

  /** Creates two pods of one owner, both quarantined by one step. Returns also what the cell has written on each. */
  const quarantined = async () => {
    const namespace = await platform.freshNamespace();
    // An owner that neither recreates nor removes pods: whatever happens to these two is done by the step.
    const workload = { kind: 'ConfigMap', namespace, name: 'cart' };
    const made = await cluster.api.json<{ readonly metadata: { readonly uid: string } }>({
      method: 'POST',
      path: pathOf({ namespace, resource: 'configmaps' }),
      body: { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'cart' } },
      what: 'make an owner for a test',
    });
    const owner = { apiVersion: 'v1', kind: 'ConfigMap', name: 'cart', uid: made.metadata.uid, controller: true };
    for (const name of ['cart-a', 'cart-b'])
      await cluster.makePod(namespace, name, { metadata: { labels: { app: 'cart' }, ownerReferences: [owner] } });
    const notes = new Map<string, string>();
    const action = quarantineWorkloadImplementation({
      api: cluster.api,
      view: cluster.view,
      cellKey,
      noteOf: (uid) => notes.get(uid),
    });
    const [input, context] = [{ workload }, stepContext()];
    const output = await action.apply(input, context);
    const remember = async (...ofPods: readonly string[]) => {
      for (const name of ofPods) {
        const { metadata } = await cluster.pod(namespace, name);
        notes.set(metadata?.uid ?? '', metadata?.annotations?.[names.beforeAnnotation] ?? '');
      }
    };
    const undo = (allow: (released: readonly ReleasedObject[]) => Promise<void> = async () => undefined) =>
      action.undo({ input, output, key: context.key, allow }, context);
    const labelsOf = async (name: string) => (await cluster.pod(namespace, name)).metadata?.labels;
    expect(output.pods.map(({ name }) => name)).toEqual(['cart-a', 'cart-b']);
    return { namespace, context, remember, undo, labelsOf };
  };

  test('asks about a pod stripped of all marks too, and marks it as released', async () => {
    const { namespace, context, remember, undo, labelsOf } = await quarantined();
    await remember('cart-a', 'cart-b');
    await cluster.patchPod(namespace, 'cart-b', noMarks);
    const asked: ReleasedObject[] = [];
    const result = await undo(async (released) => void asked.push(...released));
    expect(asked).toMatchObject([
      { object: `pod/${namespace}/cart-a`, step: context.key },
      { object: `pod/${namespace}/cart-b`, step: context.key },
    ]);
    expect(result).toEqual({ state: 'undone', detail: '1 pod has its labels back' });
    expect([await labelsOf('cart-a'), await labelsOf('cart-b')]).toEqual([{ app: 'cart' }, { app: 'mine' }]);
    expect((await cluster.pod(namespace, 'cart-b')).metadata?.annotations).toHaveProperty([names.releasedAnnotation]);
  });

  test.each([
    ['remembers what it wrote', true],
    ['remembers nothing', false],
  ])('releases none while one has a note that somebody edited, where the cell %s', async (_, isRemembered) => {
    const { namespace, context, remember, undo, labelsOf } = await quarantined();
    if (isRemembered) await remember('cart-a', 'cart-b');
    await cluster.patchPod(namespace, 'cart-b', { annotations: { [names.beforeAnnotation]: '{}' } });
    expect(await undo()).toMatchObject({
      state: 'drifted',
      difference: [expect.stringMatching(`^pod/${namespace}/cart-b: annotation .* somebody edited it$`)],
    });
    const held = quarantineLabels(context.incident);
    expect([await labelsOf('cart-a'), await labelsOf('cart-b')]).toEqual([held, held]);
  });
});
