import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { stampPrefix } from '../../../core/action/own-steps.ts';
import { Service } from '../../platform/e2e/parts/service.ts';
import { testPlatform } from '../../platform.ts';

const { temporalAddress, temporalNamespace, kubeconfig, auditLog, freshNamespace, auditEvents } = await testPlatform();
let service: Service;
let namespace: string;
let before = 0;

beforeAll(async () => {
  namespace = await freshNamespace();
  before = auditEvents().length;
  service = await Service.create({ temporalAddress, temporalNamespace, kubeconfig, auditLog }, (config) => {
    config.watch = { namespaces: [namespace] };
    config.response = { mode: 'observe' };
  });
  await service.start();
});

afterAll(async () => {
  await service?.stop();
});

test('in observe, alerts of every kind end in plans on record, and the API server hears of no write', async () => {
  const workloads = await service.workloads.deploy(namespace, ['critical', 'shell']);
  const [critical, shell] = workloads;
  if (!critical || !shell) throw new Error('not deployed');
  await service.alert(critical);
  await service.alert(shell, 'shell');
  const state = await service.stateWhen('the plan', critical, 120_000, ({ timeline }) =>
    timeline.some(({ kind }) => kind === 'question.withheld'),
  );
  expect(state.timeline.map(({ kind }) => kind)).toContain('step.planned');
  expect(state.questions).toEqual([]);
  await service.stateWhen('the question that is not asked', shell, 120_000, ({ timeline }) =>
    timeline.some(({ kind }) => kind === 'question.withheld'),
  );
  const ours = auditEvents()
    .slice(before)
    .filter(({ userAgent = '' }) => userAgent === 'firebreak' || userAgent.startsWith(stampPrefix));
  expect(ours.length).toBeGreaterThan(0);
  // A review stores nothing: it asks for the rights of an account, or for its name.
  const writes = ours.filter(
    ({ verb, objectRef: { resource = '', subresource, namespace: where } = {} }) =>
      (!['get', 'list', 'watch'].includes(verb) || subresource === 'exec') &&
      where !== 'firebreak' &&
      !resource.endsWith('reviews'),
  );
  expect(writes.map(({ verb, requestURI }) => `${verb} ${requestURI}`)).toEqual([]);
});
