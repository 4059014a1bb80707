import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from '@jest/globals';
import { type Environment, loadConfig } from '../../../service/config/load.ts';
import { resolveSecrets } from '../../../service/config/secrets.ts';

const folder = mkdtempSync(join(tmpdir(), 'firebreak-temporal-access-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const file = (name: string): string => join(folder, name);
for (const name of ['ca.pem', 'client.pem', 'client.key']) writeFileSync(file(name), `the ${name}\n`);

function accessOf(temporal: string, env: Environment = {}) {
  const path = file('firebreak.yaml');
  writeFileSync(
    path,
    `cluster: lab
temporal: { ${temporal} codecKeys: [{ id: k, key: { env: CODEC_KEY } }] }
intake: { tokens: [{ name: falco, token: { env: FALCO } }] }
roster: { people: [{ id: ada, name: Ada }], groups: { oncall: [ada], leads: [ada] } }
`,
  );
  const all = { CODEC_KEY: Buffer.alloc(32, 3).toString('base64'), FALCO: 'x', ...env };
  return resolveSecrets({ config: loadConfig({ path, env: all }), env: all, roles: [] }).temporalAccess;
}

const ofFiles = { ca: 'the ca.pem', cert: 'the client.pem', key: 'the client.key', serverName: 'temporal.example.com' };

describe('the connection to Temporal', () => {
  test('is plaintext by default', () => {
    expect(accessOf('')()).toEqual({});
    expect(accessOf('', { TEMPORAL_TLS: 'false' })()).toEqual({});
  });

  test('is encrypted with the system’s authorities, or with what the file names', () => {
    expect(accessOf('tls: true,')()).toEqual({ tls: {} });
    const tls = 'tls: { caFile: ca.pem, certFile: client.pem, keyFile: client.key, serverName: temporal.example.com },';
    expect(accessOf(tls)()).toEqual({ tls: ofFiles });
  });

  test('follows Temporal’s own environment variables', () => {
    const paths = {
      TEMPORAL_TLS_SERVER_CA_CERT_PATH: file('ca.pem'),
      TEMPORAL_TLS_CLIENT_CERT_PATH: file('client.pem'),
      TEMPORAL_TLS_CLIENT_KEY_PATH: file('client.key'),
      TEMPORAL_TLS_SERVER_NAME: 'temporal.example.com',
    };
    expect(accessOf('', paths)()).toEqual({ tls: ofFiles });
    const data = { TEMPORAL_TLS_CLIENT_CERT_DATA: 'a certificate', TEMPORAL_TLS_CLIENT_KEY_DATA: 'a key' };
    expect(accessOf('', data)()).toEqual({ tls: { cert: 'a certificate', key: 'a key' } });
    expect(accessOf('', { TEMPORAL_TLS: 'true' })()).toEqual({ tls: {} });
    expect(accessOf('', { TEMPORAL_API_KEY: 'a-key' })()).toEqual({ tls: {}, apiKey: 'a-key' });
    expect(accessOf('tls: false,', paths)()).toEqual({});
  });

  test('uses the current content of a file whenever it is opened', () => {
    const access = accessOf(`apiKey: { file: ${file('api.key')} },`.replace('api.key', 'client.key'));
    expect(access()).toEqual({ tls: {}, apiKey: 'the client.key' });
    writeFileSync(file('client.key'), 'renewed\n');
    expect(access()).toEqual({ tls: {}, apiKey: 'renewed' });
  });

  test.each([
    ['half of a client certificate', 'tls: { certFile: client.pem },', {}, /certFile and keyFile are needed together/],
    [
      'half of a client certificate in the environment',
      '',
      { TEMPORAL_TLS_CLIENT_CERT_PATH: '/c' },
      /sets only one of the client certificate and its key/,
    ],
    ['an API key without TLS', 'tls: false,', { TEMPORAL_API_KEY: 'k' }, /could be read on the way/],
    ['trust in any server', '', { TEMPORAL_TLS: 'true', TEMPORAL_TLS_DISABLE_HOST_VERIFICATION: 'true' }, /trust any server/],
    ['a missing file', 'tls: { caFile: nowhere.pem },', {}, /temporal\.tls\.caFile.*nowhere\.pem cannot be read/],
  ])('%s is refused, with the remedy', (_what, temporal, env, message) => {
    expect(() => accessOf(temporal, env)).toThrow(message);
  });
});
