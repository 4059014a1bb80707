import { z } from 'zod';
import { httpUrl, namespaceName, secret, secretKey, vaultPath } from '../fields.ts';
import { aws, awsAccessKey } from './aws-section.ts';

/** A Secret name as Kubernetes accepts it, without the suffix of a successor's name. */
const secretName = z
  .string()
  .regex(/^[a-z0-9]([-a-z0-9.]{0,239}[a-z0-9])?$/, {
    error: 'not a valid name of a Secret: use lowercase letters, digits, - and .',
  })
  .refine((name) => !/-fb[0-9a-f]{10}$/.test(name), {
    error: 'this is the name of a successor: write the original name, without -fb…',
  });

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
      .meta({ description: 'Which keys of the Secret hold what.' }),
  })
  .refine(({ roles, keys }) => roles.length === 1 || keys.username !== undefined, {
    path: ['keys'],
    error: 'with two roles the Secret must say which one it is: keys.username is missing',
    params: { remedy: 'Name the key that holds the role’s name: keys: { username: username }.' },
  })
  .refine(({ roles }) => new Set(roles).size === roles.length, { path: ['roles'], error: 'the same role is named twice' });

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
  path: vaultPath.meta({ description: 'Where the credentials are leased.', examples: ['database/creds/shop'] }),
  keys: z
    .strictObject({
      username: secretKey.default('username').meta({ description: 'Key of the Secret that holds the user.' }),
      password: secretKey.default('password').meta({ description: 'Key that holds the password.' }),
    })
    .prefault({})
    .meta({ description: 'Which keys of the Secret hold what.' }),
});

export const rotation = z
  .strictObject({
    vault: z
      .strictObject({
        address: httpUrl.meta({ description: 'URL of Vault or OpenBao.', examples: ['https://vault.example.com:8200'] }),
        token: secret.meta({
          description:
            'Token with the policy of [rotation.md](rotation.md). A file is read again for each call; a token that can be renewed is.',
        }),
        namespace: z.string().min(1).exactOptional().meta({ description: 'Namespace in Vault. Absent: the root.' }),
      })
      .exactOptional()
      .meta({ description: 'The Vault in which `vaultKv` and `vaultLease` are.' }),
    aws: aws.exactOptional().meta({ description: 'The AWS account in which the users of `awsAccessKey` are.' }),
    secrets: z
      .array(
        z
          .strictObject({
            namespace: namespaceName.meta({ description: 'Its namespace.' }),
            secret: secretName.meta({ description: 'Its name, as it was before any rotation; its successors are included.' }),
            postgresRole: postgresRole.exactOptional().meta({ description: 'It is the password of a PostgreSQL role.' }),
            awsAccessKey: awsAccessKey.exactOptional().meta({ description: 'It is the access key of an IAM user.' }),
            vaultKv: vaultKv.exactOptional().meta({
              description:
                'It is kept in Vault’s KV engine: the new value is written there, too. Alone: it is random, and only its readers check it.',
            }),
            vaultLease: vaultLease
              .exactOptional()
              .meta({ description: 'Vault leases it for a limited time, as the database engine does.' }),
          })
          .refine((one) => sourcesOf(one).length > 0 || one.vaultKv !== undefined, {
            error: 'no provider is named',
            params: { remedy: 'Add one: postgresRole, awsAccessKey, vaultKv or vaultLease.' },
          })
          .refine(({ vaultLease, vaultKv, ...one }) => vaultLease === undefined || (sourcesOf(one).length === 0 && !vaultKv), {
            path: ['vaultLease'],
            error: 'what Vault leases comes from nowhere else',
            params: { remedy: 'Remove the others, or remove vaultLease.' },
          })
          .refine((one) => one.postgresRole === undefined || one.awsAccessKey === undefined, {
            path: ['awsAccessKey'],
            error: 'it already belongs to PostgreSQL',
            params: { remedy: 'Keep one of the two: a Secret has only one provider.' },
          })
          .refine((one) => !one.vaultKv || changedBy(one).every((key) => key in (one.vaultKv?.properties ?? {})), {
            path: ['vaultKv', 'properties'],
            error: 'what changes is not kept: every key that gets a new value must be among the properties',
            params: {
              remedy:
                'Name each with its name in Vault: the password, and with two roles the user name; of AWS the id, the secret and the files.',
            },
          }),
      )
      .superRefine((all, context) => {
        for (const [at, one] of all.entries())
          if (all.slice(0, at).some(({ namespace, secret: name }) => namespace === one.namespace && name === one.secret))
            context.addIssue({
              code: 'custom',
              path: [at],
              message: 'this Secret is already listed above',
              params: { remedy: 'Keep one of the two.' },
            });
        for (const [at, { awsAccessKey: one }] of all.entries())
          if (one && all.slice(0, at).some(({ awsAccessKey: other }) => other?.user === one.user))
            context.addIssue({
              code: 'custom',
              path: [at, 'awsAccessKey', 'user'],
              message: 'this user is already listed above: it can have two keys, and a rotation needs both',
              params: { remedy: 'Give each Secret an IAM user of its own.' },
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
    error: 'a Secret is in Vault, but no Vault is named',
    params: { remedy: 'Add it: vault: { address: https://…, token: { file: PATH } }.' },
  })
  .refine(({ aws, secrets }) => aws !== undefined || secrets.every((one) => !one.awsAccessKey), {
    path: ['aws'],
    error: 'a Secret is of AWS, but no AWS account is named',
    params: { remedy: 'Add it: aws: { region: …, webIdentity: { roleArn: … } }.' },
  })
  .prefault({});

interface Providers {
  readonly postgresRole?: z.output<typeof postgresRole>;
  readonly awsAccessKey?: z.output<typeof awsAccessKey>;
  readonly vaultLease?: z.output<typeof vaultLease>;
}

function sourcesOf({ postgresRole: role, awsAccessKey: key, vaultLease: lease }: Providers): readonly object[] {
  return [role, key, lease].filter((one) => one !== undefined);
}

/** Keys of the Secret whose values must reach Vault, for those who read them there; a URL can be composed from the others. */
function changedBy({ postgresRole: role, awsAccessKey: key }: Providers): readonly string[] {
  if (key) return [key.keys.accessKeyId, key.keys.secretAccessKey, ...key.keys.files];
  if (!role) return [];
  const { roles, keys } = role;
  return roles.length > 1 && keys.username !== undefined ? [keys.password, keys.username] : [keys.password];
}
