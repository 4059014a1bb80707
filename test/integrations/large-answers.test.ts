import { createServer, type Server } from 'node:http';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { Aws } from '../../integrations/aws/client.ts';
import { openBucket } from '../../integrations/evidence/bucket.ts';
import { GithubApi } from '../../integrations/github/api.ts';
import { JsonApi } from '../../integrations/json-api.ts';
import { fetchOfProvider } from '../../integrations/oidc/provider-fetch.ts';
import { ownHttp } from '../../integrations/own-http.ts';
import { get } from '../../integrations/registry/get.ts';
import { callSlack, createSlackClient, fetchFrom } from '../../integrations/slack/client.ts';
import { askDesk } from '../../service/commands/desk/desk-client.ts';
import { eventually } from '../eventually.ts';

const megabyte = 1_048_576;
const part = Buffer.alloc(65_536, ' ');
let server: Server;
let url: string;
let sent = 0;
let open = 0;

beforeAll(async () => {
  // Sends as much as the other side reads, at most a gigabyte.
  server = createServer((request, response) => {
    request.resume();
    open += 1;
    response.on('close', () => {
      open -= 1;
    });
    response.writeHead(200, { 'content-type': 'application/json' });
    response.write('{"ok":true,"a":"');
    const more = (): void => {
      while (!response.destroyed && sent < 1_024 * megabyte) {
        sent += part.length;
        if (!response.write(part)) return void response.once('drain', more);
      }
      response.end();
    };
    more();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  url = `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`;
});
beforeEach(() => {
  sent = 0;
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

async function drained(keys: AsyncIterable<string>): Promise<void> {
  for await (const _ of keys);
}

const signal = AbortSignal.timeout(600_000);
const bucket = () =>
  openBucket({ endpoint: url, region: 'us-east-1', bucket: 'evidence', prefix: '', accessKeyId: 'a', secretAccessKey: 'b' });
const aws = () =>
  new Aws({ region: 'us-east-1', login: { accessKeyId: 'a', secretAccessKey: 'b' }, endpoints: { iam: url, sts: url } });
const jsonApi = () => new JsonApi({ name: 'the service', baseUrl: url, headers: {}, timeoutMs: 600_000 });
const github = () => new GithubApi({ token: 't', apiUrl: url, timeoutMs: 600_000 });
const registry = () => ({ known: [{ host: new URL(url).host, plainHttp: true }], url: new URL(url), maxBytes: megabyte });

/** Who asks, and how many megabytes it accepts at most in each of its attempts. */
const askers: readonly (readonly [string, number, () => Promise<unknown>])[] = [
  [
    'the client of Slack',
    4,
    () => callSlack('auth.test', () => createSlackClient({ botToken: 'b', apiUrl: `${url}/`, timeoutMs: 600_000 }).auth.test()),
  ],
  ['an answer to a click', 4, () => fetchFrom(`${url}/`)(`${url}/actions`, { method: 'POST', body: '{}' })],
  ['the client of a desk', 64, () => askDesk(url, 'session', {})],
  ['a client of a ticket system, of Vault or of a pager', 16, () => jsonApi().call({ method: 'GET', path: '/x', signal })],
  ['the client of GitHub', 32, () => github().call({ method: 'GET', path: '/x', signal })],
  ['an action of a pack', 16, () => ownHttp(signal, () => true)({ method: 'GET', url: `${url}/x` })],
  ['the client of a registry', 1, () => get({ ...registry(), accept: '*/*', signal })],
  ['the client of the identity provider', 1, () => fetchOfProvider(url, {})],
  ['the client of AWS', 3, () => aws().keysOf('cart', signal)],
  ['the AWS client that looks up the owner of a key', 2, () => aws().whoIs({ accessKeyId: 'a', secretAccessKey: 'b' }, signal)],
  ['an object that is read as a whole', 64, () => bucket().get('keys/1')],
  ['a list of objects', 3 * 16, () => drained(bucket().keys('keys/'))],
];

describe('a server that answers with a gigabyte', () => {
  test.each(askers)('does not fill the memory of %s', async (_who, megabytes, ask) => {
    await expect(ask()).rejects.toThrow();
    await eventually('its connection has ended', () => open === 0);
    // Data in transit that has not been read yet counts as sent, too.
    expect(sent).toBeLessThan((megabytes + 32) * megabyte);
  });
});
