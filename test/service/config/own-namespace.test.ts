import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from '@jest/globals';
import { isWatched } from '../../../service/cell/pools/cluster.ts';
import { checkConfig } from '../../../service/config/load.ts';
import { isProtected, rulesOf } from '../../../service/process/rules.ts';

const folder = mkdtempSync(join(tmpdir(), 'firebreak-own-namespace-'));
afterAll(() => rmSync(folder, { recursive: true }));

const minimal = `cluster: lab
intake: { tokens: [{ name: falco, token: { env: FALCO_TOKEN } }] }
roster: { people: [{ id: ada, name: Ada, slack: [U01ADA] }], groups: { oncall: [ada], leads: [ada] } }
`;

/** Reads a configuration in a pod of this namespace; undefined: outside a cluster. */
function read(more: string, podIn: string | undefined) {
  const path = join(folder, 'firebreak.yaml');
  writeFileSync(path, minimal + more);
  if (podIn !== undefined) writeFileSync(join(folder, 'namespace'), `${podIn}\n`);
  const checked = checkConfig({ path, env: {}, account: podIn === undefined ? join(folder, 'none') : folder });
  if (!checked.ok) return checked.problems.map(({ path: at, problem }) => `${at}: ${problem}`);
  const { config } = checked;
  const of = (namespace: string) => [isProtected(config)(namespace), isWatched(config, namespace)];
  return { own: rulesOf(config).ownNamespace, security: of('security'), shop: of('shop') };
}

const closed = { own: 'security', security: [true, false], shop: [false, true] };
const open = { own: 'firebreak', security: [false, true], shop: [false, true] };

test('Firebreak’s own namespace comes from its pod, and is neither watched nor acted on', () => {
  expect(read('', 'security')).toEqual(closed);
  expect(read('kubernetes: { ownNamespace: security }\n', 'security')).toEqual(closed);
  expect(read('kubernetes: { ownNamespace: firebreak }\n', 'security')).toEqual([
    'kubernetes.ownNamespace: this pod runs in the namespace security',
  ]);
});

test('it comes from the file outside a cluster, and with a kubeconfig, which may belong to another cluster', () => {
  expect(read('', undefined)).toEqual(open);
  expect(read('kubernetes: { ownNamespace: security }\n', undefined)).toEqual(closed);
  expect(read('kubernetes: { kubeconfig: k }\n', 'security')).toEqual(open);
  expect(read('kubernetes: { kubeconfig: k, ownNamespace: security }\n', 'elsewhere')).toEqual(closed);
});

test('it is not opened to a quarantined pod', () => {
  const text = 'actions: { quarantine: { forensics: { namespace: security } } }\n';
  expect(read(text, 'security')).toEqual([
    expect.stringContaining('actions.quarantine.forensics.namespace: this is Firebreak’s own'),
  ]);
  expect(read(text, 'elsewhere')).toMatchObject({ own: 'elsewhere' });
});
