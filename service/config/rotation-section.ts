import { z } from 'zod';
import { httpUrl, namespaceName, secret } from './fields.ts';

/** What Kubernetes takes as the name of a Secret, without what a successor's name ends with. */
const secretName = z
  .string()
  .regex(/^[a-z0-9]([-a-z0-9.]{0,239}[a-z0-9])?$/, { error: 'not a name of a Secret: lower-case letters, digits, - and .' })
  .refine((name) => !/-fb[0-9a-f]{10}$/.test(name), {
    error: 'this is the name of a successor: write the first name, without -fb…',
  });

const secretKey = z.string().regex(/^[-._a-zA-Z0-9]{1,253}$/, { error: 'not a key of a Secret: letters, digits, - _ and .' });

const postgresRole = z
  .strictObject({
    url: secret.meta({
      description:
        'A `postgres://` URL of a role that may set the passwords of `roles` and end their sessions, with its password.',
    }),
    roles: z
      .array(z.string().min(1).max(63))
      .min(1)
      .max(2)
      .meta({ description: 'One role, or two that take turns: with two, the old one works until all have rolled.' }),
    keys: z
      .strictObject({
        password: secretKey.default('password').meta({ description: 'Key of the Secret that holds the password.' }),
        username: secretKey.exactOptional().meta({ description: 'Key that holds the role’s name. Needed with two roles.' }),
        urls: z.array(secretKey).default([]).meta({ description: 'Keys that hold a whole connection URL.' }),
      })
      .prefault({})
      .meta({ description: 'Where in the Secret what is.' }),
  })
  .refine(({ roles, keys }) => roles.length === 1 || keys.username !== undefined, {
    path: ['keys'],
    error: 'with two roles the Secret must say which one it is: keys.username is missing',
    params: { remedy: 'Name the key that holds the role’s name: keys: { username: username }.' },
  })
  .refine(({ roles }) => new Set(roles).size === roles.length, { path: ['roles'], error: 'the same role is named twice' });

/** Parts of a path in Vault, as its policies write it: no `/` at either end, no `..`. */
const vaultPath = z.string().regex(/^(?!.*(^|\/)\.\.?(\/|$))[-\w.]+(\/[-\w.]+)*$/, {
  error: 'not a path in Vault: parts of letters, digits, - _ and . with / between',
});

const vaultKv = z.strictObject({
  mount: vaultPath.default('secret').meta({ description: 'Where the KV engine, version 2, is mounted.' }),
  path: vaultPath.meta({ description: 'Path in it, without `data/`.', examples: ['shop/db'] }),
  properties: z
    .record(secretKey, z.string().min(1))
    .default({ password: 'password' })
    .refine((properties) => Object.keys(properties).length > 0, { error: 'no key is named' })
    .meta({ description: 'Key of the Secret → its name in Vault.', examples: [{ DB_PASSWORD: 'password' }] }),
});

const vaultLease = z.strictObject({
  path: vaultPath.meta({ description: 'Where the credentials are lent.', examples: ['database/creds/shop'] }),
  keys: z
    .strictObject({
      username: secretKey.default('username').meta({ description: 'Key of the Secret that holds the user.' }),
      password: secretKey.default('password').meta({ description: 'Key that holds the password.' }),
    })
    .prefault({})
    .meta({ description: 'Where in the Secret what is.' }),
});

export const rotation = z
  .strictObject({
    vault: z
      .strictObject({
        address: httpUrl.meta({ description: 'URL of Vault or OpenBao.', examples: ['https://vault.example.com:8200'] }),
        token: secret.meta({ description: 'Token with the policy of [rotation.md](rotation.md). Read once, at the start.' }),
        namespace: z.string().min(1).exactOptional().meta({ description: 'Namespace in Vault. Absent: the root.' }),
      })
      .exactOptional()
      .meta({ description: 'The Vault in which `vaultKv` and `vaultLease` are.' }),
    secrets: z
      .array(
        z
          .strictObject({
            namespace: namespaceName.meta({ description: 'Its namespace.' }),
            secret: secretName.meta({ description: 'Its name, as it was before any rotation; its successors are meant too.' }),
            postgresRole: postgresRole.exactOptional().meta({ description: 'It is the password of a PostgreSQL role.' }),
            vaultKv: vaultKv.exactOptional().meta({
              description:
                'It is kept in Vault’s KV engine: the new value is written there, too. Alone: it is random, and only its readers check it.',
            }),
            vaultLease: vaultLease
              .exactOptional()
              .meta({ description: 'Vault lends it for a time, as the database engine does.' }),
          })
          .refine((one) => one.postgresRole !== undefined || one.vaultKv !== undefined || one.vaultLease !== undefined, {
            error: 'no provider is named',
            params: { remedy: 'Add one: postgresRole, vaultKv or vaultLease.' },
          })
          .refine(({ postgresRole, vaultKv, vaultLease }) => vaultLease === undefined || (!postgresRole && !vaultKv), {
            path: ['vaultLease'],
            error: 'what Vault lends comes from nowhere else',
            params: { remedy: 'Take postgresRole and vaultKv out, or vaultLease.' },
          })
          .refine(({ postgresRole, vaultKv }) => !postgresRole || !vaultKv || keepsWhatChanges(postgresRole, vaultKv), {
            path: ['vaultKv', 'properties'],
            error: 'what changes is not kept: keys.password, and with two roles keys.username, must be among the properties',
            params: { remedy: 'Name each with its name in Vault: properties: { username: username, password: password }.' },
          }),
      )
      .superRefine((all, context) => {
        for (const [at, one] of all.entries())
          if (all.slice(0, at).some(({ namespace, secret: name }) => namespace === one.namespace && name === one.secret))
            context.addIssue({
              code: 'custom',
              path: [at],
              message: 'this Secret is named before',
              params: { remedy: 'Keep one of the two.' },
            });
      })
      .default([])
      .meta({
        description: 'Secrets whose values are checked elsewhere, and where. See [rotation.md](rotation.md).',
        examples: [
          [
            {
              namespace: 'shop',
              secret: 'db',
              postgresRole: { url: { env: 'SHOP_DB_URL' }, roles: ['shop_a', 'shop_b'], keys: { username: 'username' } },
            },
          ],
        ],
      }),
  })
  .refine(({ vault, secrets }) => vault !== undefined || secrets.every(({ vaultKv, vaultLease }) => !vaultKv && !vaultLease), {
    path: ['vault'],
    error: 'a Secret is in Vault, and no Vault is named',
    params: { remedy: 'Add it: vault: { address: https://…, token: { file: PATH } }.' },
  })
  .prefault({});

function keepsWhatChanges({ roles, keys }: z.output<typeof postgresRole>, { properties }: z.output<typeof vaultKv>): boolean {
  const changes = roles.length > 1 && keys.username !== undefined ? [keys.password, keys.username] : [keys.password];
  return changes.every((key) => key in properties);
}
