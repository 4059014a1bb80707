import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { IncidentState } from '../../../core/incident/incident-state.ts';
import { alertAbout } from '../../platform/e2e/parts/alerts.ts';
import { podOf, until, type Workload } from '../../platform/e2e/parts/cluster.ts';
import { voteUntilAccepted } from '../../platform/e2e/parts/oracle.ts';
import { ana, ben, labels, Service } from '../../platform/e2e/parts/service.ts';
import { testPlatform } from '../../platform.ts';

const { temporalAddress, temporalNamespace, kubeconfig, auditLog, freshNamespace } = await testPlatform();
let service: Service;
let workload: Workload;

beforeAll(async () => {
  const namespace = await freshNamespace();
  service = await Service.create({ temporalAddress, temporalNamespace, kubeconfig, auditLog }, (config) => {
    config.watch = { namespaces: [namespace] };
  });
  await service.start();
  [workload] = (await service.workloads.deploy(namespace, ['begun'])) as [Workload];
  // Its ReplicaSet has created a replacement: the released pod is one too many, and must not be the one that it ends.
  const cost = { 'controller.kubernetes.io/pod-deletion-cost': '1000' };
  await service.workloads.patchPod(workload, { metadata: { annotations: cost } });
});

afterAll(() => service?.stop());

describe('a head start', () => {
  test('contains the pod, and the incident then adopts it and its lease', async () => {
    await service.alert(workload);
    await service.contained(workload, 120_000);
    const { steps, leases } = await service.stateWhen('a lease', workload, 120_000, (state) => state.leases.length > 0);
    await service.cardOf(workload);
    expect(service.log).toContain('head start: quarantinePod');
    expect(steps.filter(({ action }) => action === 'quarantinePod')).toHaveLength(1);
    expect(leases).toMatchObject([{ action: 'quarantinePod', state: 'active' }]);
    expect(service.effects.of('contain', podOf(workload))).toHaveLength(1);
  });

  test('is not given above the owner’s cap: people are asked, and their yes contains the pod', async () => {
    const [pod = ''] = await until('another pod', 120_000, async () => {
      const pods = await service.workloads.podsOf(workload);
      return pods.length >= 2 && pods;
    });
    const other: Workload = { ...workload, pod };
    // With another image: the same question about the same image would be a second line on the first card.
    await service.alert(other, 'binary', { image: 'registry.example/other:1' });
    // A card about the pod may come earlier: for the question what its binary was.
    const { channel, ts } = await until('the card with its reason', 120_000, () =>
      service.cards(other).find(({ blocks }) => JSON.stringify(blocks).includes('It was not done at once')),
    );
    expect(service.effects.of('contain', podOf(other))).toEqual([]);
    await service.slack.click({ user: ana, channel, ts, buttonText: 'Yes: quarantine pod' });
    await service.contained(other, 120_000);
  });

  test('lasts: a quarantine that somebody removes is restored, and people are told', async () => {
    await service.workloads.patchPod(workload, {
      metadata: { labels: { 'firebreak.dev/quarantine': null } },
    });
    await until('the quarantine again', 120_000, async () => {
      const { labels } = await service.workloads.podMetadata(workload);
      return labels?.['firebreak.dev/quarantine'] === 'active';
    });
    const { timeline } = await service.stateWhen('a line', workload, 120_000, (state) =>
      state.timeline.some(({ kind }) => kind === 'containment.reasserted'),
    );
    expect(timeline.find(({ kind }) => kind === 'containment.reasserted')?.text).toContain('somebody changed the quarantine of');
  });

  test('does not repeat what people released: the same alert only asks, and only another rule contains again', async () => {
    for (const person of [ana, ben]) await voteUntilAccepted(service, workload, person, labels.release);
    await until('the release', 120_000, () => service.effects.of('give-back', podOf(workload)).length > 0);
    await service.stateWhen('what the answer covers', workload, 120_000, ({ bodies }) =>
      bodies.some(({ decided }) => decided !== undefined),
    );
    for (let times = 0; times < 3; times += 1) await service.post([alertAbout(workload)]);
    const asked = ({ questions }: IncidentState) => questions.filter(({ question: { text } }) => text.includes('reported again'));
    const state = await service.stateWhen('the question', workload, 120_000, (now) => asked(now).length > 0);
    expect(asked(state)).toHaveLength(1);
    expect(asked(state)[0]?.question.text).toContain('found it harmless or released it at');
    // The first time, and after somebody removed it.
    expect(service.effects.of('contain', podOf(workload))).toHaveLength(2);
    await service.post([{ ...alertAbout(workload), rule: 'Drop and execute new binary in container' }]);
    await until('containment again', 120_000, () => service.effects.of('contain', podOf(workload)).length === 3);
  });
});
