import { afterEach, expect, test } from '@jest/globals';
import { stampPrefix } from '../../../core/action/own-steps.ts';
import type { WouldHaveReport } from '../../../core/assessment/would-have.ts';
import { firebreakHere } from '../../command-line.ts';
import { until } from '../../platform/e2e/parts/cluster.ts';
import { replayRecorded } from '../../platform/e2e/parts/recorded.ts';
import { Service } from '../../platform/e2e/parts/service.ts';
import { type AuditEvent, testPlatform } from '../../platform.ts';

const { temporalAddress, temporalNamespace, kubeconfig, auditLog, freshNamespace, auditEvents } = await testPlatform();
let service: Service | undefined;

afterEach(async () => {
  await service?.stop();
});

/** A dry run and a review store nothing. Firebreak's own namespace holds its leases. */
function isWrite({ verb, requestURI, objectRef: { resource = '', subresource, namespace: where } = {} }: AuditEvent): boolean {
  const reads = ['get', 'list', 'watch'].includes(verb) && subresource !== 'exec';
  const storesNothing = resource.endsWith('reviews') || new URL(requestURI, 'https://cluster.example').searchParams.has('dryRun');
  return !reads && !storesNothing && where !== 'firebreak';
}

async function wouldHave({ settings, folder }: Service): Promise<WouldHaveReport> {
  const { stdout } = await firebreakHere(['report', 'would-have', '--json', '--config', settings.configFile], { folder });
  return JSON.parse(stdout);
}

test.each(['observe', 'ask'] as const)(
  'in %s, a recorded day leads to no write, and the report names exactly the pods that contain would cut off',
  async (mode) => {
    const namespace = await freshNamespace();
    const before = auditEvents().length;
    service = await Service.create({ temporalAddress, temporalNamespace, kubeconfig, auditLog }, (config) => {
      config.watch = { namespaces: [namespace] };
      config.response = { mode };
    });
    const running = service;
    await running.start();
    const { named } = await replayRecorded(running, namespace);
    const [last] = await running.workloads.deploy(namespace, ['last']);
    if (!last) throw new Error('not deployed');
    await running.alert(last);
    const reported = async (): Promise<readonly string[]> =>
      (await wouldHave(running)).decisions
        .filter(({ would, namespace: where }) => would === 'contain' && where === namespace)
        .map(({ pod }) => `${namespace}/${pod}`)
        .toSorted();
    const expected = [...named, `${namespace}/${last.pod}`].toSorted();
    await until('the report to name all', 180_000, async () => (await reported()).length >= expected.length);
    expect(await reported()).toEqual(expected);
    const state = await running.stateWhen('the plan', last, 120_000, ({ timeline }) =>
      timeline.some(({ kind }) => kind === (mode === 'observe' ? 'question.withheld' : 'question.asked')),
    );
    if (mode === 'observe') expect(state.timeline.map(({ kind }) => kind)).toContain('step.planned');
    const ours = auditEvents()
      .slice(before)
      .filter(({ userAgent = '' }) => userAgent === 'firebreak' || userAgent.startsWith(stampPrefix));
    expect(ours.length).toBeGreaterThan(0);
    expect(ours.filter(isWrite).map(({ verb, requestURI }) => `${verb} ${requestURI}`)).toEqual([]);
  },
);
