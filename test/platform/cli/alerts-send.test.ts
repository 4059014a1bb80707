import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { names } from '../../../core/cluster/labels.ts';
import { portOf } from '../../../integrations/http-door.ts';
import { firebreakHere } from '../../command-line.ts';
import { testPlatform } from '../../platform.ts';
import { openCluster } from '../kubernetes/parts/cluster.ts';

const platform = await testPlatform();
const folder = mkdtempSync(join(tmpdir(), 'firebreak-alerts-send-'));
const intake = createServer((_, response) => void response.end('{"items":[{"status":"accepted","incident":"incident/lab/x"}]}'));
let cluster: Awaited<ReturnType<typeof openCluster>>;

beforeAll(async () => {
  await new Promise<void>((resolve) => intake.listen(0, '127.0.0.1', resolve));
  cluster = await openCluster(platform.kubeconfig);
});
afterAll(async () => {
  await cluster.close();
  await new Promise((resolve) => intake.close(resolve));
  rmSync(folder, { recursive: true, force: true });
});

// In the order of their names, the one that was cut off comes first.
test.each([
  ['was left by its workload', {}],
  ['is quarantined', { labels: { [names.quarantineLabel]: 'active' } }],
])('a sample is about a pod of the workload, not one that %s', async (_what, metadata) => {
  const namespace = await platform.freshNamespace();
  await cluster.makePod(namespace, 'cart-0', { metadata });
  const [owned] = await cluster.makeDeployment(namespace, 'cart', { replicas: 1 });
  writeFileSync(
    join(folder, 'firebreak.yaml'),
    `cluster: lab
kubernetes: { kubeconfig: '${platform.kubeconfig}' }
intake: { tokens: [{ name: falco, token: { env: FALCO_TOKEN } }] }
roster: { people: [{ id: ada, name: Ada, slack: [U01ADA] }], groups: { oncall: [ada], leads: [ada] } }
`,
  );
  const to = `http://127.0.0.1:${portOf(intake)}`;
  const about = (pod: string) =>
    firebreakHere(['alerts', 'send', '--sample', 'falco', '--pod', `${namespace}/${pod}`, '--to', to, '--json'], {
      folder,
      env: { FALCO_TOKEN: 'a-token' },
    });
  expect(JSON.parse((await about('cart')).stdout)).toMatchObject({ pod: { namespace, name: owned?.metadata?.name } });
  // A full name means exactly that pod.
  expect(JSON.parse((await about('cart-0')).stdout)).toMatchObject({ pod: { namespace, name: 'cart-0' } });
});
