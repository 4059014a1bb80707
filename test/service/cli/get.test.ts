import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from '@jest/globals';
import { makeOwnCertificate } from '../../../integrations/uploads/own-certificate.ts';
import { firebreakHere } from '../../command-line.ts';

const folder = mkdtempSync(join(tmpdir(), 'firebreak-get-'));
/** An API server without the definitions. */
const { certificate: cert, key } = makeOwnCertificate();
const server = createServer({ cert, key }, (_request, response) => response.writeHead(404).end('404 page not found\n'));
afterAll(() => {
  server.close();
  rmSync(folder, { recursive: true, force: true });
});

test('a cluster without the CRDs is distinguished from one without incidents, with the remedy', async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = typeof address === 'object' ? address?.port : undefined;
  const kubeconfig = {
    'current-context': 'lab',
    clusters: [{ name: 'lab', cluster: { server: `https://127.0.0.1:${port}`, 'insecure-skip-tls-verify': true } }],
    users: [{ name: 'lab', user: {} }],
    contexts: [{ name: 'lab', context: { cluster: 'lab', user: 'lab' } }],
  };
  writeFileSync(join(folder, 'kubeconfig'), JSON.stringify(kubeconfig));
  const { status, stderr } = await firebreakHere(['get', '--kubeconfig', 'kubeconfig'], { folder });
  expect(status).toBe(1);
  expect(stderr).toBe(
    'FB_ERR_NOT_FOUND: The object does not exist: this cluster has no definitions of incidents and containments\n' +
      '→ Apply `deploy/crds`, or set `crds.install` of the chart. `firebreak get --desk URL` works without them.\n',
  );
});
