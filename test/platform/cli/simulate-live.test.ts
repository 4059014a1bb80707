import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { sampleAlert } from '../../../authoring/alerts.ts';
import type { Plan } from '../../../core/action/plan.ts';
import { pathOf } from '../../../integrations/kubernetes/client.ts';
import { firebreakHere } from '../../command-line.ts';
import { eventually } from '../../eventually.ts';
import { testPlatform } from '../../platform.ts';
import { accountWith } from '../actions/accounts.ts';
import { openCluster, resolved } from '../kubernetes/parts/cluster.ts';

const platform = await testPlatform();
const secretText = 'correct-horse-battery';
/** The account may do everything, so whatever is not done is the command's own restraint. */
const everything = [{ apiGroup: '*', resource: '*', verbs: ['*'] }];

describe('a simulation in a real cluster', () => {
  const folder = mkdtempSync(join(tmpdir(), 'firebreak-live-'));
  let cluster: Awaited<ReturnType<typeof openCluster>>;
  let account: Awaited<ReturnType<typeof accountWith>>;
  let namespace = '';
  let pod = { namespace: '', name: '', uid: '' };

  beforeAll(async () => {
    cluster = await openCluster(platform.kubeconfig);
    namespace = await platform.freshNamespace();
    account = await accountWith({
      admin: cluster,
      kubeconfig: platform.kubeconfig,
      folder,
      namespace,
      name: 'author',
      rights: everything,
    });
    await cluster.post(pathOf({ resource: 'secrets', namespace }), {
      metadata: {
        name: 'db',
        annotations: { 'kubectl.kubernetes.io/last-applied-configuration': `{"stringData":{"password":"${secretText}"}}` },
      },
      stringData: { password: secretText },
    });
    const env = [
      { name: 'PASSWORD', value: secretText },
      { name: 'DB', valueFrom: { secretKeyRef: { name: 'db', key: 'password' } } },
    ];
    const [made] = await cluster.makeDeployment(namespace, 'cart', {
      spec: { containers: [{ name: 'main', image: 'shop/cart:1', env }] },
    });
    if (!made) throw new Error('the Deployment has no pod');
    pod = resolved(made);
    // As a sensor reports it: without a uid, and long ago.
    const { uid: _, ...named } = pod;
    const alert = sampleAlert('falco', 'Drop and execute new binary in container', { severity: 'critical' });
    writeFileSync(join(folder, 'alert.json'), JSON.stringify({ ...alert, pod: named, workload: undefined, node: undefined }));
  });
  afterAll(async () => {
    await account.remove();
    await cluster.close();
    rmSync(folder, { recursive: true, force: true });
  });

  const simulate = async (
    ...more: readonly string[]
  ): Promise<{ readonly plans: readonly Plan[]; readonly steps: readonly { readonly action: string }[] }> => {
    const answers = ['--answer', 'remove'];
    const run = await firebreakHere(['simulate', 'alert.json', '--json', ...answers, ...more], { folder });
    expect({ status: run.status, stderr: run.stderr }).toEqual({ status: 0, stderr: '' });
    const { story } = JSON.parse(run.stdout);
    return { plans: story.plans, steps: story.steps };
  };
  const kubeconfig = () => ['--kubeconfig', join(folder, `${namespace}-author.kubeconfig`)];

  test('plans with the real actions for the existing pod, and writes nothing', async () => {
    const { plans } = await simulate('--live', ...kubeconfig(), '--playbook', 'contain-dropped-binary');
    const rotation = plans.find(({ action }) => action === 'rotateSecret');
    expect(rotation).toMatchObject({
      target: { name: `pod/${namespace}/${pod.name}`, uid: pod.uid },
      blastRadius: expect.arrayContaining([`deployment/${namespace}/cart`, `secret/${namespace}/db`]),
    });
    expect(JSON.stringify(plans)).not.toContain('A sketch');
    const user = `system:serviceaccount:${namespace}:author`;
    const mine = () => platform.auditEvents().filter((event) => event.user.username === user);
    // The account's last call is the last event in the log.
    const last = pathOf({ resource: 'configmaps', namespace, name: 'the-last-call' });
    await account.api.json({ method: 'GET', path: last, what: 'mark the end' }).catch(() => undefined);
    await eventually('all of it in the audit log', async () =>
      mine().some(({ requestURI }) => requestURI === last) ? true : undefined,
    );
    expect(mine().some(({ objectRef }) => objectRef?.resource === 'secrets' && objectRef.namespace === namespace)).toBe(true);
    const writes = mine().filter(
      ({ verb, objectRef }) =>
        !['get', 'list', 'watch'].includes(verb) && !/subjectaccessreviews$/.test(objectRef?.resource ?? ''),
    );
    expect(writes).toEqual([]);
  });

  test('gives the same plans without the cluster, from a snapshot of it that contains no secret', async () => {
    const recorded = await firebreakHere(['snapshot', 'shop.snapshot', '--json', ...kubeconfig()], { folder });
    expect(JSON.parse(recorded.stdout)).toMatchObject({ missing: [] });
    const file = join(folder, 'shop.snapshot');
    const text = gunzipSync(readFileSync(file)).toString('utf8');
    expect(text).toContain(`"name":"cart"`);
    expect(text).not.toContain(secretText);
    expect(text).not.toContain(Buffer.from(secretText).toString('base64'));
    expect(statSync(file).mode & 0o777).toBe(0o600);
    const { plans: live, steps } = await simulate('--live', ...kubeconfig(), '--playbook', 'contain-dropped-binary');
    const told = await simulate('--snapshot', 'shop.snapshot', '--playbook', 'contain-dropped-binary');
    // Parallel steps end in the order in which the cluster answers.
    const sorted = <T extends { readonly action: string }>(all: readonly T[]): readonly T[] =>
      all.toSorted((a, b) => a.action.localeCompare(b.action));
    expect(sorted(told.plans).map(({ action, target, blastRadius }) => ({ action, target, blastRadius }))).toEqual(
      sorted(live).map(({ action, target, blastRadius }) => ({ action, target, blastRadius })),
    );
    expect(sorted(told.steps)).toEqual(sorted(steps));
  });

  test('gives a sandboxed pack only the plans', async () => {
    const pack = join(folder, 'pack');
    mkdirSync(pack, { recursive: true });
    writeFileSync(
      join(pack, 'firebreak.pack.ts'),
      `import { hardenWorkload, openTicket, scaleToZero } from 'firebreak/actions';
import { definePack, definePlaybook } from 'firebreak/playbook';
const wide = definePlaybook(
  { id: 'wide', title: 'Wide', on: { match: { rule: 'Drop and execute new binary in container' }, minSeverity: 'low', requires: ['workload', 'pod'] },
    uses: { hardenWorkload, openTicket, scaleToZero } },
  async ({ alert, ask, steps }) => {
    const { workload, pod } = alert;
    const plan = { stop: await steps.scaleToZero.plan({ workload, suspect: pod }), harden: await steps.hardenWorkload.plan({ workload, suspect: pod }) };
    await ask({ question: 'Which?', choices: { stop: 'Stop it', harden: 'Harden it' }, plan, onSilence: 'A ticket is opened.' });
    await steps.openTicket({ title: 'wide', body: 'wide', labels: [] });
  },
);
export default definePack({ name: 'wide', version: '1.0.0', playbooks: [wide] });
`,
    );
    const run = await firebreakHere(['simulate', 'alert.json', '--pack', 'pack', '--story', '--live', ...kubeconfig()], {
      folder,
    });
    expect({ status: run.status, stderr: run.stderr }).toEqual({ status: 0, stderr: '' });
    expect(run.stdout).toContain('A sketch: the API server makes the real plan by a trial run');
    expect(run.stdout).toMatch(new RegExp(`touches deployment/${namespace}/cart`));
  });

  test('says that a pod is gone when it is', async () => {
    const gone = { ...sampleAlert('falco', 'Drop and execute new binary in container', { severity: 'critical' }) };
    writeFileSync(join(folder, 'gone.json'), JSON.stringify({ ...gone, pod: { namespace, name: 'cart-long-gone' } }));
    const run = await firebreakHere(['simulate', 'gone.json', '--live', '--story', ...kubeconfig()], { folder });
    expect(run.stdout).toMatch(/cart-long-gone/);
    expect(run.stdout).toMatch(/FB_ERR_NOT_FOUND|does not exist|nothing found/);
  });
});
