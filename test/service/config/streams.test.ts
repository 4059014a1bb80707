import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from '@jest/globals';
import { checkConfig, loadConfig } from '../../../service/config/load.ts';
import { firebreakHere } from '../../command-line.ts';

const folder = mkdtempSync(join(tmpdir(), 'firebreak-streams-config-'));
afterAll(() => rmSync(folder, { recursive: true }));

const minimal = `cluster: lab
intake: { tokens: [{ name: falco, token: { env: FALCO_TOKEN } }] }
roster: { people: [{ id: ada, name: Ada, slack: [U01ADA] }], groups: { oncall: [ada], leads: [ada] } }
`;
const path = join(folder, 'firebreak.yaml');
function written(to: object): string {
  writeFileSync(path, `${minimal}streams: ${JSON.stringify([{ name: 'lake', to }])}\n`);
  return path;
}

test('a Kafka stream is read with its brokers, account and certificates', () => {
  const sasl = { username: { env: 'LAKE_USER' }, password: { env: 'LAKE_PASSWORD' } };
  const kafka = { brokers: ['kafka-1.example.com:9093', '[fd00::1]:9094'], topic: 'events', sasl, tls: { caFile: 'ca.pem' } };
  const [stream] = loadConfig({ path: written({ kafka }), env: {} }).streams;
  expect(stream).toMatchObject({
    to: {
      kind: 'kafka',
      brokers: [
        { host: 'kafka-1.example.com', port: 9_093 },
        { host: 'fd00::1', port: 9_094 },
      ],
      topic: 'events',
      gzip: true,
      isPlaintext: false,
      mechanism: 'scram-sha-512',
    },
    access: { username: { env: 'LAKE_USER' }, password: { env: 'LAKE_PASSWORD' }, ca: { file: join(folder, 'ca.pem') } },
  });
});

const broker = { brokers: ['kafka-1.example.com:9093'], topic: 'events' };
const account = { username: { env: 'LAKE_USER' }, password: { env: 'LAKE_PASSWORD' } };

test('the network policy lets the desk reach its brokers', async () => {
  const config = written({ kafka: { ...broker, brokers: ['kafka-1.example.com:19093'] } });
  const { stdout } = await firebreakHere(['rbac', 'network', '--config', config], { folder });
  expect(stdout).toContain('port: 19093');
});

test.each<[string, object, string]>([
  ['a password sent in plaintext', { plaintext: true, sasl: { ...account, mechanism: 'plain' } }, 'needs TLS'],
  ['certificates without TLS', { plaintext: true, tls: { caFile: 'ca.pem' } }, 'plaintext and tls cannot be combined'],
  ['a key without its certificate', { tls: { keyFile: 'key.pem' } }, 'needed together'],
  ['a broker without a port', { brokers: ['kafka-1.example.com'] }, 'not HOST:PORT'],
  ['a topic that Kafka would not make', { topic: 'a topic' }, 'not a valid topic name'],
])('%s is refused', (_, over, problem) => {
  const kafka = { ...broker, ...over };
  const problems = checkConfig({ path: written({ kafka }), env: {} });
  expect(JSON.stringify(problems)).toContain(problem);
});
