import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { countConnectionsImplementation } from '../../activities/actions/containment/count-connections.ts';
import { cutConnectionsImplementation } from '../../activities/actions/containment/cut-connections.ts';
import { probeQuarantineImplementation } from '../../activities/actions/containment/probe-quarantine.ts';
import { quarantinePodImplementation } from '../../activities/actions/containment/quarantine-pod.ts';
import { checkpointContainerImplementation } from '../../activities/actions/evidence/checkpoint-container.ts';
import type { ActionDeclaration, ActionImplementation } from '../../core/action/action.ts';
import { checkpointContainer, countConnections, cutConnections, probeQuarantine } from '../../core/actions/index.ts';
import type { ResolvedPod } from '../../core/actions/pod.schema.ts';
import type { KubernetesApi } from '../../integrations/kubernetes/client.ts';
import { accessFromKubeconfig, type ClusterAccess } from '../../integrations/kubernetes/kubeconfig.ts';
import { callKubernetes, readAccess } from '../../tools/platform/kubernetes/kubernetes-api.ts';
import { accountWith, without } from '../platform/actions/accounts.ts';
import { Killed, recorded } from '../platform/actions/recorder.ts';
import { asTemporal, cellKey, openCluster, resolved, stepContext, until } from '../platform/kubernetes/parts/cluster.ts';
import { folderEvidence } from '../platform/kubernetes/parts/evidence.ts';
import { freshNamespace } from '../platform.ts';
import { echoServer, talkTo } from './lab/echoes.ts';
import { nodeLab } from './lab/lab.ts';

const lab = await nodeLab();
const cluster = await openCluster(lab.kubeconfig);
const access = readAccess(lab.kubeconfig);
const ownNamespace = await freshNamespace(access);
const folder = mkdtempSync(join(tmpdir(), 'firebreak-killed-'));
const evidence = await folderEvidence(folder);
afterAll(async () => {
  await callKubernetes({ access, path: `/api/v1/namespaces/${ownNamespace}`, method: 'DELETE' });
  await cluster.close();
  rmSync(folder, { recursive: true });
});

type Implementation = ActionImplementation<{ readonly pod: ResolvedPod }, unknown>;
const { toolsImage } = lab;
const clusterAccess = await accessFromKubeconfig({ file: lab.kubeconfig });
interface OwnPodAction {
  readonly declaration: ActionDeclaration;
  /** What verification reports for this pod, which is in quarantine. */
  readonly state: 'applied' | 'unverified' | 'verified';
  readonly make: (api: KubernetesApi, access: ClusterAccess) => Implementation;
}

/** Actions that work next to a container, using pods of our own. */
const actions: readonly OwnPodAction[] = [
  {
    declaration: countConnections,
    state: 'applied',
    make: (api) => countConnectionsImplementation({ api, toolsImage, ownNamespace }) as Implementation,
  },
  {
    declaration: cutConnections,
    state: 'unverified',
    make: (api) => cutConnectionsImplementation({ api, toolsImage, ownNamespace }) as Implementation,
  },
  {
    declaration: probeQuarantine,
    state: 'verified',
    make: (api) => probeQuarantineImplementation({ api, toolsImage, ownNamespace }) as Implementation,
  },
  {
    declaration: checkpointContainer,
    state: 'verified',
    make: (api, access) =>
      checkpointContainerImplementation({ api, access, toolsImage, ownNamespace, ...evidence }) as Implementation,
  },
];
const byName = actions.map((action) => [action.declaration.name, action] as const);

describe('an action that works next to a container, from pods of our own', () => {
  let pod: ResolvedPod;
  beforeAll(async () => {
    pod = resolved(await lab.runPod({ name: 'suspect' }));
    // Gives the node's table some entries of other pods.
    const server = await lab.runPod({ name: 'server', command: echoServer });
    await lab.runPod({ name: 'neighbour', command: talkTo(server) });
    await quarantinePodImplementation({ api: cluster.api, view: cluster.view, cellKey }).apply({ pod }, stepContext());
  });

  /** Whether only one step at a time may work on a container. */
  const takesTurns = (name: string): boolean => name === checkpointContainer.name;
  const removeOurs = async (): Promise<void> => {
    for (const { metadata } of await cluster.pods(ownNamespace))
      await lab.kubectl('--namespace', ownNamespace, 'delete', 'pod', metadata?.name ?? '', '--now');
  };

  const done = (action: Implementation, context: ReturnType<typeof stepContext>) =>
    asTemporal(() => action.apply({ pod }, context));

  test.each(byName)(
    '%s is done once wherever the process is killed, and leaves no pods of ours',
    async (name, { state, make }) => {
      const fresh = () => stepContext({ signal: AbortSignal.timeout(240_000) });
      const whole = recorded(cluster.api);
      const [action, context] = [make(whole, clusterAccess), fresh()];
      expect(await action.verify(await done(action, context), context)).toMatchObject({ state });
      const changes = whole.take().length;
      expect(changes).toBeGreaterThan(1);
      // For the cluster, dying before the second call is the same as dying after the first.
      const deaths = [['call', 1] as const, ...Array.from({ length: changes }, (_, at) => ['answer', at + 1] as const)];
      const live = async ([what, n]: (typeof deaths)[number]) => {
        const api = recorded(cluster.api);
        const [again, step] = [make(api, clusterAccess), fresh()];
        api.loseAt(n, what);
        const death = await again.apply({ pod }, step).catch((error: unknown) => error);
        api.revive();
        const verification = await again.verify(await done(again, step), step);
        return { what, n, killed: death instanceof Killed, state: verification.state };
      };
      const seen: unknown[] = [];
      if (takesTurns(name)) for (const death of deaths) seen.push(await live(death));
      else seen.push(...(await Promise.all(deaths.map(live))));
      expect(seen).toEqual(deaths.map(([what, n]) => ({ what, n, killed: true, state })));
      expect(await cluster.pods(ownNamespace)).toEqual([]);
    },
  );

  test.each(byName)(
    '%s needs each of its rights, and names the one that is missing',
    async (name, { declaration: { rights }, make }) => {
      const wanted = rights.flatMap(({ resource, verbs }) => verbs.map((verb) => ({ verb, resource })));
      const refusalWithout = async ({ verb, resource }: (typeof wanted)[number], at: number) => {
        const account = await accountWith({
          admin: cluster,
          kubeconfig: lab.kubeconfig,
          folder,
          namespace: ownNamespace,
          name: `${name.toLowerCase()}-${at}`,
          rights: without(rights, resource, verb),
        });
        const file = join(folder, `${ownNamespace}-${name.toLowerCase()}-${at}.kubeconfig`);
        const action = make(account.api, await accessFromKubeconfig({ file }));
        const named = `does not allow us to ${verb} ${resource}`;
        // A new binding takes a moment to take effect; until then the probe continues without looking from inside, and reports why.
        const said = await until(async () => {
          const step = stepContext({ signal: AbortSignal.timeout(120_000) });
          const text = await action.apply({ pod }, step).then(JSON.stringify, (error: unknown) => String(error));
          if (takesTurns(name)) await removeOurs();
          return text.includes(named) ? named : undefined;
        }, 60_000);
        await account.remove();
        return said;
      };
      const refusals: string[] = [];
      if (takesTurns(name)) for (const [at, right] of wanted.entries()) refusals.push(await refusalWithout(right, at));
      else refusals.push(...(await Promise.all(wanted.map(refusalWithout))));
      expect(refusals).toEqual(wanted.map(({ verb, resource }) => `does not allow us to ${verb} ${resource}`));
      await removeOurs();
    },
  );
});
