import { expect, test } from '@jest/globals';
import { harden } from '../../../core/action/hardening.ts';
import { hardeningReport } from '../../../core/cluster/hardening-report.ts';

const incident = 'incident/lab/shop/Deployment/cart';
const spec = { containers: [{ name: 'main', securityContext: { privileged: true } }] };

test('a report says what the workload of an incident has and lacks; what goes beyond Pod Security is a warning', () => {
  const report = hardeningReport(incident, { uid: 'u-1', spec, noAppArmor: 'not on each node' });
  expect(report).toMatchObject({
    namespace: 'shop',
    name: expect.stringMatching(/^firebreak-deployment-cart-[0-9a-f]{10}$/),
    content: {
      source: 'firebreak',
      scope: { apiVersion: 'apps/v1', kind: 'Deployment', namespace: 'shop', name: 'cart', uid: 'u-1' },
      summary: { pass: 0, fail: 4, warn: 3, error: 0, skip: 1 },
    },
  });
  const of = (rule: string) => report?.content.results.find((one) => one.rule === rule);
  expect(of('noPrivilegeEscalation')).toMatchObject({
    policy: 'pod-security-restricted',
    result: 'fail',
    severity: 'high',
    message: expect.stringContaining('privileged: true becomes false'),
  });
  expect(of('noToken')).toMatchObject({ policy: 'firebreak-hardening', result: 'warn', scored: false, severity: 'low' });
  expect(of('appArmor')).toMatchObject({ result: 'skip', message: 'It is given none: not on each node.' });
});

test('a workload that has it all passes', () => {
  const report = hardeningReport(incident, { uid: 'u-1', spec: harden(spec) });
  expect(report?.content.summary).toEqual({ pass: 8, fail: 0, warn: 0, error: 0, skip: 0 });
  expect(report?.content.results.every(({ severity }) => severity === undefined)).toBe(true);
});

test.each([
  'incident/lab/shop/Pod/cart',
  'incident/lab/shop/CronJob/cart',
  'incident/lab/node/worker-1',
  'incident/lab/cluster',
  'x',
])('there are no findings about %s', (id) => {
  expect(hardeningReport(id, { uid: 'u-1', spec })).toBeUndefined();
});
