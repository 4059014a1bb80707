import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from '@jest/globals';
import { parse, stringify } from 'yaml';
import { createKubernetesApi } from '../../../integrations/kubernetes/client.ts';
import { accessFromKubeconfig, accessInCluster } from '../../../integrations/kubernetes/kubeconfig.ts';
import { testPlatform } from '../../platform.ts';

const platform = await testPlatform();

describe('who we are to an API server', () => {
  const folder = mkdtempSync(join(tmpdir(), 'firebreak-kubeconfig-'));
  afterAll(() => rmSync(folder, { recursive: true }));

  const whoAmI = async (file: string, context?: string): Promise<string> => {
    const api = createKubernetesApi({ access: await accessFromKubeconfig({ file, ...(context && { context }) }) });
    try {
      const review = await api.json<{ status: { userInfo: { username: string } } }>({
        method: 'POST',
        path: '/apis/authentication.k8s.io/v1/selfsubjectreviews',
        body: { apiVersion: 'authentication.k8s.io/v1', kind: 'SelfSubjectReview' },
        what: 'ask who we are',
      });
      return review.status.userInfo.username;
    } finally {
      api.close();
    }
  };
  const admin = parse(readFileSync(platform.kubeconfig, 'utf8'));
  const write = (name: string, change: (config: typeof admin) => void): string => {
    const config = structuredClone(admin);
    change(config);
    const file = join(folder, name);
    writeFileSync(file, stringify(config));
    return file;
  };
  const token = async (): Promise<string> => {
    const api = createKubernetesApi({ access: await accessFromKubeconfig({ file: platform.kubeconfig }) });
    const namespace = await platform.freshNamespace();
    const { status } = await api.json<{ status: { token: string } }>({
      method: 'POST',
      path: `/api/v1/namespaces/${namespace}/serviceaccounts/default/token`,
      body: { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: {} },
      what: 'make a token',
    });
    api.close();
    return status.token;
  };

  test('is determined by a certificate, inline or in files next to the kubeconfig', async () => {
    const user = admin.users[0].user;
    const inline = await whoAmI(platform.kubeconfig);
    const file = write('files.yaml', (config) => {
      writeFileSync(join(folder, 'tls.crt'), Buffer.from(user['client-certificate-data'], 'base64'));
      writeFileSync(join(folder, 'tls.key'), Buffer.from(user['client-key-data'], 'base64'), { mode: 0o600 });
      config.users[0].user = { 'client-certificate': 'tls.crt', 'client-key': 'tls.key' };
    });
    expect(await whoAmI(file)).toBe(inline);
  });

  test('is determined by a token, inline, in a file or from a plugin, and by the named context', async () => {
    const value = await token();
    writeFileSync(join(folder, 'token'), `${value}\n`);
    const byFile = write('token.yaml', (config) => {
      config.users.push({ name: 'account', user: { tokenFile: 'token' } });
      config.contexts.push({ name: 'second', context: { cluster: config.contexts[0].context.cluster, user: 'account' } });
    });
    expect(await whoAmI(byFile, 'second')).toMatch(/^system:serviceaccount:.*:default$/);
    const byPlugin = write('plugin.yaml', (config) => {
      config.users[0].user = {
        exec: {
          apiVersion: 'client.authentication.k8s.io/v1',
          command: 'sh',
          args: [
            '-c',
            `printf '{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"token":"%s"}}' ${value}`,
          ],
          interactiveMode: 'Never',
        },
      };
    });
    expect(await whoAmI(byPlugin)).toMatch(/^system:serviceaccount:.*:default$/);
  });

  test.each([
    ['no such context', async () => accessFromKubeconfig({ file: platform.kubeconfig, context: 'nobody' }), 'no context nobody'],
    ['no such file', async () => accessFromKubeconfig({ file: join(folder, 'absent') }), 'cannot be read'],
    ['no cluster around us', async () => accessInCluster({ host: undefined, port: undefined }), 'no kubeconfig is given'],
  ])('is an error that says what to do when there is %s', async (_, open, reason) => {
    await expect(open()).rejects.toMatchObject({
      code: reason === 'cannot be read' ? 'FB_ERR_FILE_MISSING' : 'FB_ERR_CONFIG_INVALID',
      detail: expect.stringContaining(reason),
    });
  });
});
