import { expect, test } from '@jest/globals';
import { harden } from '../../../core/action/hardening.ts';
import { hardeningReport } from '../../../core/cluster/hardening-report.ts';

const incident = 'incident/lab/shop/Deployment/cart';
const spec = { containers: [{ name: 'main', securityContext: { privileged: true } }] };

test('a report says what the workload of an incident has and lacks, with warnings for what goes beyond Pod Security', () => {
  const report = hardeningReport(incident, { uid: 'u-1', spec, noAppArmor: 'not on each node' });
  expect(report).toMatchObject({
    namespace: 'shop',
    name: expect.stringMatching(/^firebreak-deployment-cart-[0-9a-f]{10}$/),
    content: {
      source: 'firebreak',
      scope: { apiVersion: 'apps/v1', kind: 'Deployment', namespace: 'shop', name: 'cart', uid: 'u-1' },
      summary: { pass: 8, fail: 5, warn: 3, error: 0, skip: 1 },
    },
  });
  const of = (rule: string) => report?.content.results.find((one) => one.rule === rule);
  expect(of('privileged')).toMatchObject({
    policy: 'pod-security-baseline',
    result: 'fail',
    severity: 'high',
    message: 'Runs privileged (main): not baseline, CIS 5.2.2.',
  });
  expect(of('service-account-token')).toMatchObject({
    policy: 'firebreak-hardening',
    result: 'warn',
    scored: false,
    severity: 'low',
  });
  expect(of('apparmor-unset')).toMatchObject({ result: 'skip', message: 'It gets no AppArmor profile: not on each node.' });
});

test('a fully hardened workload passes', () => {
  const report = hardeningReport(incident, { uid: 'u-1', spec: harden(spec) });
  expect(report?.content.summary).toEqual({ pass: 17, fail: 0, warn: 0, error: 0, skip: 0 });
  expect(report?.content.results.every(({ severity }) => severity === undefined)).toBe(true);
});

test('a report passes and fails the same as Pod Security does', () => {
  const resultsOf = (context: Readonly<Record<string, unknown>>, pod: Readonly<Record<string, unknown>> = {}) =>
    hardeningReport(incident, {
      uid: 'u-1',
      spec: { ...harden({ containers: [{ name: 'main' }] }), ...pod, containers: [{ name: 'main', securityContext: context }] },
    })?.content.results.filter(({ result }) => result === 'fail');
  const restricted = { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } };
  // The profile ignores the order of what is dropped, and a capability that stays allowed.
  expect(resultsOf({ ...restricted, capabilities: { drop: ['NET_RAW', 'ALL'], add: ['NET_BIND_SERVICE'] } })).toEqual([]);
  expect(resultsOf({ ...restricted, runAsUser: 0 })).toMatchObject([{ rule: 'root' }]);
  expect(resultsOf(restricted, { volumes: [{ name: 'etc', hostPath: { path: '/etc' } }] })).toMatchObject([
    { rule: 'host-path' },
  ]);
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
