import { z } from 'zod';
import { namespaceName, secret } from './fields.ts';

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

export const rotation = z
  .strictObject({
    secrets: z
      .array(
        z
          .strictObject({
            namespace: namespaceName.meta({ description: 'Its namespace.' }),
            secret: secretName.meta({ description: 'Its name, as it was before any rotation; its successors are meant too.' }),
            postgresRole: postgresRole.exactOptional().meta({ description: 'It is the password of a PostgreSQL role.' }),
          })
          .refine(({ postgresRole }) => postgresRole !== undefined, {
            error: 'no provider is named',
            params: { remedy: 'Add one: postgresRole.' },
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
  .prefault({});
