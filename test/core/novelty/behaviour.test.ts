import { describe, expect, test } from '@jest/globals';
import type { Alert } from '../../../core/alert/alert.ts';
import { featuresOf, normalised } from '../../../core/novelty/behaviour.ts';

const alert: Alert = {
  id: '0'.repeat(32),
  sensor: 'falco',
  rule: 'Run shell untrusted',
  severity: 'high',
  time: '2026-11-27T22:30:00Z',
  title: 'x',
  cluster: 'lab',
  observables: [],
  tags: [],
  mitre: [],
};

const keysOf = (change: Partial<Alert>): readonly string[] => featuresOf({ ...alert, ...change }).map(({ key }) => key);
const textsOf = (change: Partial<Alert>): readonly string[] => featuresOf({ ...alert, ...change }).map(({ text }) => text);

describe('a random part of a name', () => {
  test.each([
    ['/proc/4711/fd/3', '/proc/#/fd/#'],
    ['/tmp/build-7f3a9c21/run.99', '/tmp/build-#/run.#'],
    ['/tmp/tmp.aBcDeFgH/x.sh', '/tmp/tmp.#/x.sh'],
    ['job-2f1b8a3c-1d2e-4f5a-9b8c-7d6e5f4a3b2c', 'job-#'],
    ['cart-7d9c6b5f4-x2k9q', 'cart-#-#'],
    ['deadbeefcafe', '#'],
    ['build-abcdef12', 'build-#'],
    ['build-12345678', 'build-#'],
    ['4711', '#'],
  ])('is taken out: %s becomes %s', (text, left) => {
    expect(normalised(text)).toBe(left);
  });

  test.each([
    ['sha256sum', 'sha#sum'],
    ['python3.11', 'python#.#'],
    ['ed25519', 'ed#'],
    ['kube-controller-manager', 'kube-controller-manager'],
    ['/usr/lib/x86_64-linux-gnu/ld.so', '/usr/lib/x#_#-linux-gnu/ld.so'],
  ])('is not a word that contains a number: %s becomes %s', (text, left) => {
    expect(normalised(text)).toBe(left);
  });

  test('does not make a process another one, nor do its temporary file or arguments', () => {
    const of = (exe: string, commandLine: string) => keysOf({ process: { exe, parent: 'runc-7f3a9c21', commandLine } });
    expect(of('/tmp/job-1a2b3c4d/step1', 'step1 --id 7')).toEqual(of('/tmp/job-9f8e7d6c/step2', 'step2 --id 8'));
    expect(of('/tmp/job-1a2b3c4d/step1', '')).not.toEqual(of('/usr/bin/step1', ''));
  });
});

describe('an interpreter', () => {
  const keyOf = (exe: string, commandLine: string) => keysOf({ process: { exe, commandLine } })[0];

  test('is known by the script that it runs, whatever its arguments', () => {
    expect(keyOf('/usr/bin/python3', 'python3 -u /app/manage.py migrate')).toBe('process ? > /usr/bin/python# manage.py');
    expect(keyOf('/usr/bin/python3', 'python3 /app/manage.py shell')).toBe('process ? > /usr/bin/python# manage.py');
    expect(keyOf('/usr/bin/python3', 'python3 /tmp/evil.py')).not.toBe(keyOf('/usr/bin/python3', 'python3 /app/manage.py'));
  });

  test('with inline code is known by the first program in it', () => {
    expect(keyOf('/bin/sh', 'sh -c "/usr/bin/curl -s http://x"')).toBe('process ? > /bin/sh -c curl');
    expect(keyOf('/bin/sh', 'sh -ec A=1 pg_isready -q')).toBe('process ? > /bin/sh -ec pg_isready');
    expect(keyOf('/bin/sh', 'sh -i')).toBe('process ? > /bin/sh');
  });
});

describe('a destination', () => {
  const placesOf = (...values: readonly string[]) =>
    keysOf({
      observables: values.map((value) => ({ type: /^[\d:.a-f]+$/.test(value) ? ('ip' as const) : ('domain' as const), value })),
    }).filter((key) => key.startsWith('destination'));

  test('is a network, so that a neighbouring address is not new', () => {
    expect(placesOf('203.0.113.7', '203.0.113.9')).toEqual(['destination 203.0.113.0/24']);
    expect(placesOf('10.1.2.3', '10.1.9.9', '10.2.0.1')).toEqual(['destination 10.1.0.0/16', 'destination 10.2.0.0/16']);
    expect(placesOf('2001:db9:1:2::5')).toEqual(['destination 2001:db9:1::/48']);
  });

  test('with a special meaning stays as it is', () => {
    expect(placesOf('169.254.169.254')).toEqual(['destination 169.254.169.254']);
  });

  test('is the end of a public name, but the whole name inside the cluster', () => {
    expect(placesOf('ec2-203-0-113-7.eu-1.compute.cloud.example')).toEqual(['destination compute.cloud.example']);
    expect(placesOf('db.shop.svc.cluster.local', 'db.pay.svc.cluster.local')).toHaveLength(2);
  });

  test('is one of four at most, so that one alert with many cannot fill the memory', () => {
    expect(placesOf(...Array.from({ length: 50 }, (_, at) => `203.0.${at}.1`))).toHaveLength(4);
  });
});

test('a request to the API server is known by who asks for what, not by the address', () => {
  const request = { account: 'system:node:worker-7f3a9c21', verb: 'create', resource: 'pods', subresource: 'exec' };
  const observables = [{ type: 'ip', value: '203.0.113.7' } as const];
  expect(keysOf({ apiRequest: request, observables })).toEqual([
    'request system:node:worker-# create pods/exec',
    'rule falco Run shell untrusted',
    'both falco Run shell untrusted request system:node:worker-# create pods/exec',
  ]);
});

test('its text uses the words of the alert, cut if they are long', () => {
  const process = { exe: '/usr/bin/curl', parent: 'sh' };
  expect(textsOf({ process })).toEqual([
    'sh runs curl',
    '“Run shell untrusted” is seen',
    '“Run shell untrusted” is seen when sh runs curl',
  ]);
  expect(textsOf({ process: { exe: `/${'x'.repeat(400_000)}`, parent: 'y'.repeat(9_999) } })[0]?.length).toBeLessThan(200);
});
