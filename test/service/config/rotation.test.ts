import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { rotationRules } from '../../../service/cell/pools/rotation.ts';
import { checkConfig, loadConfig } from '../../../service/config/load.ts';
import { missingSecrets, resolveSecrets } from '../../../service/config/secrets.ts';

describe('rotation.secrets', () => {
  let folder = '';
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'firebreak-rotation-'));
    writeFileSync(join(folder, 'codec.key'), Buffer.alloc(32, 7).toString('base64'));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const fileWith = (entries: string, vault = ''): string => {
    const file = join(folder, 'firebreak.yaml');
    writeFileSync(
      file,
      `cluster: lab
temporal: { codecKeys: [{ id: a, key: { file: codec.key } }] }
intake: { tokens: [{ name: falco, token: { env: FALCO } }] }
roster: { people: [{ id: ada, name: Ada, slack: [U01ADA] }], groups: { oncall: [ada], leads: [ada] } }
rotation: { ${vault}secrets: [${entries}] }
`,
    );
    return file;
  };
  const problemsOf = (entries: string): readonly string[] => {
    const checked = checkConfig({ path: fileWith(entries), env: {} });
    return checked.ok ? [] : checked.problems.map(({ path, problem }) => `${path}: ${problem}`);
  };
  const db = '{ namespace: shop, secret: db, postgresRole: { url: { env: DB }, roles: [shop] } }';

  test.each([
    ['no provider', '{ namespace: shop, secret: db }', 'rotation.secrets[0]: no provider is named'],
    ['the same Secret twice', `${db}, ${db}`, 'rotation.secrets[1]: this Secret is already listed above'],
    ['a successor’s name', db.replace('db,', 'db-fb0123456789,'), 'rotation.secrets[0].secret: this is the name of a successor'],
    [
      'two indistinguishable roles',
      db.replace('[shop]', '[a, b]'),
      'rotation.secrets[0].postgresRole.keys: with two roles the Secret must say which one it is',
    ],
    ['one role twice', db.replace('roles: [shop]', 'roles: [a, a], keys: { username: u }'), 'the same role is named twice'],
    [
      'a URL in the file',
      db.replace('{ env: DB }', "'postgres://a:canary@db/shop'"),
      'a secret must not be written into this file',
    ],
    [
      'a Vault lease together with another provider',
      db.replace(' } }', ' }, vaultLease: { path: database/creds/shop } }'),
      'rotation.secrets[0].vaultLease: what Vault leases comes from nowhere else',
    ],
    [
      'a Secret in Vault without a Vault address',
      '{ namespace: shop, secret: db, vaultKv: { path: shop/db } }',
      'rotation.vault: a Secret is in Vault, but no Vault',
    ],
    ['a path traversal', '{ namespace: shop, secret: db, vaultKv: { path: a/../b } }', 'vaultKv.path: not a valid Vault path'],
    [
      'a password that is not stored',
      db.replace(' } }', ' }, vaultKv: { path: shop/db, properties: { DB: db } } }'),
      'rotation.secrets[0].vaultKv.properties: what changes is not kept',
    ],
    [
      'an AWS key without an AWS account',
      '{ namespace: shop, secret: s3, awsAccessKey: { user: shop } }',
      'rotation.aws: a Secret is of AWS, but no AWS account',
    ],
    [
      'an AWS user in two Secrets',
      '{ namespace: shop, secret: s3, awsAccessKey: { user: shop } }, { namespace: pay, secret: s3, awsAccessKey: { user: shop } }',
      'rotation.secrets[1].awsAccessKey.user: this user is already listed above',
    ],
    [
      'two providers',
      db.replace(' } }', ' }, awsAccessKey: { user: shop } }'),
      'rotation.secrets[0].awsAccessKey: it already belongs to PostgreSQL',
    ],
    [
      'an AWS secret key that is not stored',
      '{ namespace: shop, secret: s3, awsAccessKey: { user: shop }, vaultKv: { path: s3, properties: { AWS_ACCESS_KEY_ID: id } } }',
      'rotation.secrets[0].vaultKv.properties: what changes is not kept',
    ],
    ['labels', db.replace('secret: db', 'secret: db, labels: { app: x }'), 'rotation.secrets[0].labels: unknown key'],
  ])('%s is reported as a problem', (_, entries, problem) => {
    const found = problemsOf(entries);
    expect(found.join('\n')).toContain(problem);
    expect(found.join('\n')).not.toContain('canary');
  });

  test('Vault’s providers use its token, and stored values can be read by External Secrets', () => {
    const kept = db.replace(' } }', ' }, vaultKv: { path: shop/db } }');
    const lent = '{ namespace: shop, secret: lent, vaultLease: { path: database/creds/shop } }';
    const path = fileWith(`${kept}, ${lent}`, 'vault: { address: "https://vault:8200", token: { env: VAULT } }, ');
    const config = loadConfig({ path, env: {} });
    const env = { DB: 'postgres://rotator:canary@db/shop', VAULT: 'token-canary' };
    const { rotation } = resolveSecrets({ config, env, roles: ['secrets'] });
    expect(rotation?.vaultToken?.()).toBe('token-canary');
    expect(rotationRules(config, rotation ?? { entries: [] })).toMatchObject([
      { secret: 'db', stored: ['password'], provider: { title: 'PostgreSQL, role shop, kept in Vault, secret/shop/db' } },
      { secret: 'lent', provider: { title: 'Vault, leases of database/creds/shop' } },
    ]);
    expect(missingSecrets({ config, env: { DB: env.DB }, roles: ['secrets'] })).toMatchObject([{ path: 'rotation.vault.token' }]);
  });

  test('AWS is called with an access key that is read, or with a role and a token file that is not', () => {
    const s3 = '{ namespace: shop, secret: s3, awsAccessKey: { user: shop-uploads } }';
    const key = 'aws: { region: eu-central-1, accessKey: { id: { env: ID }, secret: { env: KEY } } }, ';
    const byKey = loadConfig({ path: fileWith(s3, key), env: {} });
    const env = { ID: 'AKIAIOSFODNN7EXAMPLE', KEY: 'key-canary' };
    const { rotation } = resolveSecrets({ config: byKey, env, roles: ['secrets'] });
    expect(rotation).toMatchObject({ awsKey: { accessKeyId: env.ID, secretAccessKey: env.KEY } });
    const rules = [
      {
        secret: 's3',
        provider: { title: 'AWS, access keys of shop-uploads', keys: ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY'] },
      },
    ];
    expect(rotationRules(byKey, rotation ?? { entries: [] })).toMatchObject(rules);
    const missing = missingSecrets({ config: byKey, env: {}, roles: ['secrets'] });
    expect(missing.map(({ path }) => path)).toEqual(['rotation.aws.accessKey.id', 'rotation.aws.accessKey.secret']);

    const role =
      'aws: { region: eu-central-1, webIdentity: { roleArn: "arn:aws:iam::111122223333:role/firebreak", tokenFile: token } }, ';
    const byRole = loadConfig({ path: fileWith(s3, role), env: {} });
    expect(byRole.rotation.aws?.webIdentity?.tokenFile).toBe(join(folder, 'token'));
    expect(resolveSecrets({ config: byRole, env: {}, roles: ['secrets'] }).rotation?.awsKey).toBeUndefined();
    expect(rotationRules(byRole, { entries: [] })).toMatchObject(rules);
    const both = role.replace('webIdentity', 'accessKey: { id: { env: ID }, secret: { env: KEY } }, webIdentity');
    const checked = checkConfig({ path: fileWith(s3, both), env: {} });
    expect(checked.ok ? [] : checked.problems.map(({ path }) => path)).toEqual(['rotation.aws']);
  });

  test('is read by the secrets pool only, and an invalid PostgreSQL URL is reported without its value', () => {
    const config = loadConfig({ path: fileWith(db), env: {} });
    const env = { DB: 'postgres://rotator:canary@db/shop' };
    expect(resolveSecrets({ config, env: { FALCO: 'f' }, roles: ['cell'] }).rotation).toBeUndefined();
    const { rotation } = resolveSecrets({ config, env, roles: ['secrets'] });
    expect(rotation).toEqual({ entries: [{ postgresUrl: env.DB }] });
    expect(rotationRules(config, rotation ?? { entries: [] })).toMatchObject([
      { namespace: 'shop', secret: 'db', provider: { title: 'PostgreSQL, role shop', overlaps: false } },
    ]);
    const missing = missingSecrets({ config, env: { DB: 'mysql://canary' }, roles: ['secrets'] });
    expect(missing).toMatchObject([
      { path: 'rotation.secrets[0].postgresRole.url', problem: expect.stringContaining('postgres://') },
    ]);
    expect(JSON.stringify(missing)).not.toContain('canary');
  });
});
