import { chownSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { Client } from 'pg';
import { openDatabase } from '../../integrations/database/database.ts';
import { makeOwnCertificate } from '../../integrations/uploads/own-certificate.ts';
import { loadConfig } from '../../service/config/load.ts';
import { certificateChecks } from '../../service/doctor/certificate-checks.ts';
import type { Diagnosis } from '../../service/doctor/diagnosis.ts';
import { examine } from '../../service/doctor/doctor.ts';
import { storeChecks } from '../../service/doctor/store-checks.ts';
import { eventually } from '../eventually.ts';
import { type PostgresServer, startPostgres } from '../postgres-server.ts';
import { findPostgres } from '../suites.mjs';

const dayMs = 86_400_000;
const isHere = findPostgres() !== undefined;
const onPostgres = isHere ? describe : describe.skip;
const title = 'what the doctor says about PostgreSQL';

onPostgres(isHere ? title : `${title} (skipped: initdb and postgres are not on this machine)`, () => {
  const folder = mkdtempSync(join(tmpdir(), 'firebreak-served-certificate-'));
  let server: PostgresServer | undefined;
  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(async () => {
    await server?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  async function told(
    query: string,
    name: 'served certificates' | 'database' = 'served certificates',
  ): Promise<readonly Diagnosis[]> {
    const file = join(folder, 'firebreak.yaml');
    const roster = { people: [{ id: 'ada', name: 'Ada' }], groups: { oncall: ['ada'], leads: ['ada'] } };
    const intake = { tokens: [{ name: 'falco', token: { env: 'FALCO_TOKEN' } }] };
    writeFileSync(file, JSON.stringify({ cluster: 'lab', intake, roster, audit: { url: { env: 'AUDIT_URL' } } }));
    const config = loadConfig({ path: file, env: {} });
    const env = { AUDIT_URL: `${server?.url}${query}` };
    const diagnoses = await examine({ config, env, roles: ['desk'] }, { chosen: [...certificateChecks, ...storeChecks] });
    return diagnoses.filter(({ check }) => check === name);
  }

  test('that it is in order, and that a read-only one accepts nothing', async () => {
    await (await openDatabase({ url: server?.url ?? '' })).close();
    expect(await told('', 'database')).toMatchObject([{ state: 'ok' }, { state: 'ok' }]);
    expect(await told('?options=-c%20default_transaction_read_only%3Don', 'database')).toMatchObject([
      { state: 'error', text: 'it can be read but not written: PostgreSQL: 25006', remedy: expect.stringContaining('standby') },
    ]);
  });

  /** As an administrator renews it: the files in its folder, and a reload. */
  async function show(daysAgo: number): Promise<void> {
    const client = new Client({ connectionString: server?.url });
    await client.connect();
    const { rows } = await client.query('SHOW data_directory');
    const data: string = rows[0].data_directory;
    const owner = statSync(data);
    const { certificate, key } = makeOwnCertificate({ now: new Date(Date.now() - daysAgo * dayMs) });
    for (const [name, text] of Object.entries({ 'server.crt': certificate, 'server.key': key })) {
      writeFileSync(join(data, name), text, { mode: 0o600 });
      chownSync(join(data, name), owner.uid, owner.gid);
    }
    await client.query('ALTER SYSTEM SET ssl = on');
    await client.query('SELECT pg_reload_conf()');
    await client.end();
  }

  test('that there is no certificate without TLS, that one is valid, and that one has expired', async () => {
    expect(await told('?sslmode=no-verify')).toMatchObject([
      { state: 'not tried', text: 'no certificate was presented by audit.url' },
    ]);
    await show(100);
    await eventually('the certificate', async () => (await told('?sslmode=no-verify'))[0]?.state === 'ok');
    expect(await told('')).toMatchObject([{ state: 'ok', text: 'the configuration names no server with TLS' }]);
    await show(400);
    const ended = await eventually('the next certificate', async () => {
      const [first] = await told('?sslmode=no-verify');
      return first?.state === 'error' && first;
    });
    expect(ended.text).toMatch(/^audit\.url: the certificate that 127\.0\.0\.1:\d+ presents expired 35 days ago$/);
    expect(JSON.stringify(ended)).not.toContain(new URL(server?.url ?? '').password);
  });
});
