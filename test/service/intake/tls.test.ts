import { execFileSync } from 'node:child_process';
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { Agent, request } from 'node:https';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import type { TLSSocket } from 'node:tls';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { eventually } from '../../eventually.ts';
import { FakeIncidentGateway } from '../../fakes/incident-gateway.ts';
import { type Door, falcoEvent, freshDirectory, openDoor, removeDirectory, token, until } from './parts/intake-fixture.ts';

let folder: string;
const doors: Door[] = [];
const file = (name: string): string => join(folder, name);

function openssl(...words: string[]): void {
  execFileSync('openssl', words, { cwd: folder, stdio: 'pipe' });
}

const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '1'];

function authority(name: string): void {
  openssl('req', '-x509', ...newKey, '-subj', `/CN=${name}`, '-keyout', `${name}.key`, '-out', `${name}.pem`);
}

function certificate(name: string, { by, alternative }: { by: string; alternative: string }): void {
  const issuer = ['-CA', `${by}.pem`, '-CAkey', `${by}.key`];
  const extension = ['-addext', `subjectAltName=${alternative}`];
  openssl(
    'req',
    '-x509',
    ...newKey,
    '-subj',
    `/CN=${name}`,
    ...issuer,
    ...extension,
    '-keyout',
    `${name}.key`,
    '-out',
    `${name}.pem`,
  );
}

beforeAll(() => {
  folder = freshDirectory();
  for (const name of ['ours', 'theirs']) authority(name);
  for (const name of ['server', 'server-next']) certificate(name, { by: 'ours', alternative: 'IP:127.0.0.1' });
  certificate('falco-7', { by: 'ours', alternative: 'URI:spiffe://lab/falco/node-7' });
  certificate('plain', { by: 'ours', alternative: 'DNS:falcosidekick.falco.svc' });
  certificate('unknown', { by: 'ours', alternative: 'DNS:grafana.monitoring.svc' });
  certificate('forged', { by: 'theirs', alternative: 'URI:spiffe://lab/falco/node-7' });
});

afterAll(() => removeDirectory(folder));

afterEach(async () => {
  for (const { intake, directory } of doors.splice(0)) {
    await intake.stop(200);
    removeDirectory(directory);
  }
});

async function door(change: { requireClientCertificate?: boolean } = {}): Promise<Door> {
  copyFileSync(file('server.pem'), file('used.pem'));
  copyFileSync(file('server.key'), file('used.key'));
  const clients = [
    { name: 'falco', subject: 'spiffe://lab/falco/*', bindNode: true },
    { name: 'sidekick', subject: 'falcosidekick.falco.svc', bindNode: false },
  ];
  const files = { certFile: file('used.pem'), keyFile: file('used.key'), clientCaFile: file('ours.pem'), lookEveryMs: 50 };
  const opened = await openDoor(gateway, { access: { tls: { ...files, clients, ...change } } });
  doors.push(opened);
  return opened;
}

let gateway = new FakeIncidentGateway();

interface Got {
  readonly status: number;
  readonly json: Record<string, unknown>;
  readonly served: string;
}

async function send(url: string, { as, secret, agent }: { as?: string; secret?: string; agent?: Agent }): Promise<Got> {
  const own = as === undefined ? {} : { cert: readFileSync(file(`${as}.pem`)), key: readFileSync(file(`${as}.key`)) };
  return new Promise((done, fail) => {
    const asked = request(
      `${url}/v1/alerts/falco`,
      {
        method: 'POST',
        ca: readFileSync(file('ours.pem')),
        ...own,
        agent: agent ?? new Agent(),
        headers: secret === undefined ? {} : { authorization: `Bearer ${secret}` },
      },
      (answer) => {
        const served = (answer.socket as TLSSocket).getPeerCertificate().subject.CN;
        buffer(answer).then(
          (bytes) => done({ status: answer.statusCode ?? 0, json: JSON.parse(String(bytes)), served: String(served) }),
          fail,
        );
      },
    );
    asked.on('error', fail);
    asked.end(JSON.stringify(falcoEvent()));
  });
}

describe('an intake with TLS', () => {
  test('accepts certificates of its authority that belong to a sender, and tokens as before', async () => {
    gateway = new FakeIncidentGateway();
    const { intake } = await door();
    expect(intake.url).toMatch(/^https:/);
    expect((await send(intake.url, { as: 'plain' })).json).toMatchObject({ accepted: 1 });
    expect((await send(intake.url, { secret: token })).status).toBe(200);
    expect((await send(intake.url, {})).status).toBe(401);
    expect((await send(intake.url, { as: 'unknown' })).status).toBe(401);
    expect((await send(intake.url, { as: 'forged' })).status).toBe(401);
  });

  test('binds a sender to the node in its certificate', async () => {
    gateway = new FakeIncidentGateway();
    const { intake } = await door();
    expect((await send(intake.url, { as: 'falco-7' })).json).toMatchObject({ accepted: 1 });
    const id = 'incident/lab/shop/Deployment/web';
    await until(() => gateway.counted(id) === 1);
    expect(gateway.batches(id)[0]?.alerts[0]?.doubt).toContain('node-7');
  });

  test('that requires certificates accepts no token without one', async () => {
    gateway = new FakeIncidentGateway();
    const { intake } = await door({ requireClientCertificate: true });
    expect((await send(intake.url, { as: 'plain' })).status).toBe(200);
    await expect(send(intake.url, { secret: token })).rejects.toThrow();
    await expect(send(intake.url, { as: 'forged', secret: token })).rejects.toThrow();
    expect((await send(intake.url, { as: 'unknown', secret: token })).status).toBe(401);
  });

  test('uses a new certificate without dropping a connection, and keeps the old one while the files do not match', async () => {
    gateway = new FakeIncidentGateway();
    const { intake } = await door();
    const agent = new Agent({ keepAlive: true, maxSockets: 1, maxCachedSessions: 0 });
    const fresh = async (): Promise<string> =>
      (await send(intake.url, { secret: token, agent: new Agent({ maxCachedSessions: 0 }) })).served;
    expect((await send(intake.url, { secret: token, agent })).served).toBe('server');
    copyFileSync(file('server-next.pem'), file('used.pem'));
    await new Promise((done) => setTimeout(done, 200));
    expect(await fresh()).toBe('server');
    copyFileSync(file('server-next.key'), file('used.key'));
    await eventually('the next certificate', async () => (await fresh()) === 'server-next');
    expect(await send(intake.url, { secret: token, agent })).toMatchObject({ status: 200, served: 'server' });
    agent.destroy();
  });

  test('does not start with the key of another certificate', async () => {
    writeFileSync(file('odd.pem'), readFileSync(file('server.pem')));
    const access = { tls: { certFile: file('odd.pem'), keyFile: file('server-next.key') } };
    await expect(openDoor(new FakeIncidentGateway(), { access })).rejects.toMatchObject({ code: 'FB_ERR_CONFIG_INVALID' });
  });
});
