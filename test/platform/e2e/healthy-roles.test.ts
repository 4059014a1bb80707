import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, expect, test } from '@jest/globals';
import { readPack } from '../../../service/packs/pack-files.ts';
import { makeKeySet } from '../../../service/process/keys/key-set.ts';
import { projectRoot } from '../../../service/process/project-root.ts';
import { people } from '../../../tools/demo/settings.ts';
import { freePorts } from '../../../tools/platform/ports.ts';
import { type S3Server, startS3Server } from '../../../tools/platform/s3-server.ts';
import { type IdentityProvider, startIdentityProvider } from '../../fakes/oidc/provider.ts';
import { testPlatform } from '../../platform.ts';
import { type PostgresServer, startPostgres } from '../../postgres-server.ts';
import { findPostgres } from '../../suites.mjs';
import { makeCertificate, openTlsDoor, type TlsDoor } from '../temporal/mutual-tls.ts';
import { until } from './parts/cluster.ts';
import { Service } from './parts/service.ts';

const { temporalAddress, temporalNamespace, kubeconfig, auditLog, freshNamespace, cleanUp } = await testPlatform();
const folder = mkdtempSync(join(tmpdir(), 'firebreak-e2e-roles-'));
let service: Service;
let provider: IdentityProvider;
let door: TlsDoor;
let s3: S3Server;
let postgres: PostgresServer | undefined;

/** Writes a secret into a file of its own, as a configuration names it. */
function secret(name: string, value: string): { readonly file: string } {
  const file = join(folder, name);
  writeFileSync(file, `${value}\n`, { mode: 0o600 });
  return { file };
}

beforeAll(async () => {
  const namespace = await freshNamespace();
  makeCertificate({ folder, name: 'authority' });
  for (const name of ['server', 'client']) makeCertificate({ folder, name, by: 'authority' });
  door = await openTlsDoor({ folder, authority: 'authority', temporalAddress });
  s3 = await startS3Server({ stateDir: join(folder, 'bucket') });
  // The records are in SQLite if this machine has no PostgreSQL.
  postgres = findPostgres() ? await startPostgres() : undefined;
  provider = await startIdentityProvider({
    clientId: 'firebreak',
    redirectUri: () => `${service.settings.deskUrl}/sign-in/callback`,
  });
  service = await Service.create({ temporalAddress, temporalNamespace, kubeconfig, auditLog }, (config) => {
    const { desk } = config as { readonly desk: { readonly listen: { readonly port: number } } };
    const file = (name: string): string => join(folder, name);
    config.watch = { namespaces: [namespace] };
    config.temporal = {
      address: door.address,
      namespace: temporalNamespace,
      tls: {
        caFile: file('authority.pem'),
        certFile: file('client.pem'),
        keyFile: file('client.key'),
        serverName: 'temporal.test',
      },
    };
    config.evidence = {
      s3: {
        endpoint: s3.endpoint,
        region: s3.region,
        bucket: s3.bucket,
        accessKeyId: secret('s3-id', s3.accessKeyId),
        secretAccessKey: secret('s3-key', s3.secretAccessKey),
      },
    };
    config.audit = { everySeconds: 2, ...(postgres && { url: secret('records', postgres.url) }) };
    config.stepUp = {
      issuer: provider.issuer,
      clientId: 'firebreak',
      publicUrl: `http://127.0.0.1:${desk.listen.port}`,
      reaches: ['cluster'],
    };
    config.roster = {
      people: people.map(({ id, name, slack }) => ({ id, name, slack: [slack], subject: `sub-${id}` })),
      groups: { oncall: ['ada', 'grace'], leads: ['margaret'] },
    };
    config.console = { roles: { approver: ['response'] } };
    const pack = { folder: join(projectRoot(), 'packs', 'cloud-security-group') };
    const { integrity } = readPack(pack);
    config.packs = [
      { ...pack, integrity, secrets: { token: secret('cloud', 'a-token') }, settings: { endpoint: 'http://127.0.0.1:1' } },
    ];
  });
  // As `firebreak keys make` does before the roles run separately.
  await makeKeySet(join(service.settings.folder, 'state', 'keys'));
});

cleanUp(async () => {
  await service?.stop();
  await provider?.stop();
  await s3?.stop();
  await postgres?.stop();
  door?.close();
  rmSync(folder, { recursive: true, force: true });
});

const atWork = 'ready: connected to Temporal';
const stopping = 'stopping: finishing the work in progress first';
/** Everything that each role prints from its start to its end. */
const said = {
  cell: ['standing policy', 'the intake is open', 'serving metrics and health', atWork, 'started the control workflow', stopping],
  desk: ['the desk is open', 'serving metrics and health', atWork, stopping],
  secrets: ['serving metrics and health', atWork, stopping],
  forensics: ['serving metrics and health', atWork, stopping],
  packs: ['serving metrics and health', atWork, stopping],
} as const;
type Apart = keyof typeof said;

test('a healthy start and end of each role alone logs a few lines of its own, which say what it is and where it listens', async () => {
  const roles = Object.keys(said) as readonly Apart[];
  const ports = await freePorts({ names: roles });
  const started = await Promise.all(
    roles.map(async (role) => {
      const listen = { port: ports[role] };
      const process = await service.startProcess({
        name: role,
        roles: role,
        change: (config) => Object.assign(config, { status: { listen } }),
      });
      return { role, process };
    }),
  );
  const cell = started.find(({ role }) => role === 'cell')?.process;
  await until('the control workflow', 120_000, () => cell?.log().includes('started the control workflow'));
  await Promise.all(started.map(({ process }) => process.end('SIGTERM')));
  for (const { role, process } of started) {
    const lines = process
      .log()
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect({ role, lines: lines.map(({ level, msg }) => `${level} ${msg}`).toSorted() }).toEqual({
      role,
      lines: said[role].map((msg) => `info ${msg}`).toSorted(),
    });
    expect(lines).toContainEqual(
      expect.objectContaining({ msg: atWork, roles: [role], next: expect.stringContaining('firebreak doctor') }),
    );
    expect(lines).toContainEqual(expect.objectContaining({ url: `http://127.0.0.1:${ports[role]}` }));
  }
});
