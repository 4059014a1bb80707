import { z } from 'zod';
import { frameworks } from '../../../../core/compliance/frameworks/index.ts';
import { reportIntervals } from '../../../../core/compliance/period.ts';
import { reportFormats } from '../../../../core/compliance/report-file.ts';
import { bucketFields, id, path, secret } from '../../fields.ts';

const address = z.email();

const mail = z
  .strictObject({
    host: z
      .string()
      .min(1)
      .meta({ description: 'Mail server (SMTP).', examples: ['smtp.example.com'] }),
    port: z.int().min(1).max(65_535).default(587).meta({ description: 'Its port.' }),
    tls: z.enum(['starttls', 'implicit', 'none']).default('starttls').meta({
      description:
        '`starttls`: begins in plain text and goes no further without TLS (port 587). `implicit`: TLS from the first byte (port 465). `none`: for a relay on this machine.',
    }),
    caFile: path.exactOptional().meta({
      description: 'Authorities (PEM) whose server certificates are trusted. Absent: those of the system.',
    }),
    user: z.string().min(1).exactOptional().meta({ description: 'Name to sign in with. Absent: no sign-in.' }),
    password: secret.exactOptional().meta({ description: 'Its password.' }),
    from: address.meta({ description: 'Sender.', examples: ['firebreak@example.com'] }),
    recipients: z
      .array(address)
      .min(1)
      .max(50)
      .meta({ description: 'Who gets it.', examples: [['audit@example.com']] }),
  })
  .refine(({ user, password }) => (user === undefined) === (password === undefined), {
    error: 'user and password are needed together',
    path: ['password'],
  })
  .refine(({ tls, password }) => tls !== 'none' || password === undefined, {
    error: 'a password is not sent without TLS',
    path: ['tls'],
  });

export const reports = z
  .array(
    z.strictObject({
      name: id.meta({ description: 'Its name, which identifies what was delivered.', examples: ['iso-quarterly'] }),
      framework: z.enum(frameworks.map(({ id: framework }) => framework)).meta({
        description: 'The framework that it follows: see `firebreak docs compliance`.',
      }),
      every: z.enum(reportIntervals).default('quarter').meta({
        description: 'The period that it covers. It is due an hour after that ends; weeks begin on Monday; all in UTC.',
      }),
      cluster: z.string().min(1).exactOptional().meta({ description: 'Only the records of this cluster.' }),
      format: z
        .enum(reportFormats)
        .default('html')
        .meta({ description: 'How the file is written. Slack gets the numbers as a message.' }),
      to: z
        .strictObject({
          folder: path.exactOptional().meta({ description: 'A folder, in which `NAME-PERIOD.html` is written.' }),
          s3: z.strictObject(bucketFields('firebreak-reports')).exactOptional().meta({ description: 'An S3 bucket.' }),
          slack: z
            .strictObject({
              channel: z
                .string()
                .min(1)
                .meta({ description: 'Channel that the app is in.', examples: ['C0123456789'] }),
            })
            .exactOptional()
            .meta({ description: 'Slack, by the app of `slack`.' }),
          mail: mail.exactOptional().meta({ description: 'Mail, with the file attached.' }),
        })
        .refine((to) => Object.values(to).filter((one) => one !== undefined).length === 1, {
          error: 'exactly one of folder, s3, slack and mail is needed',
        })
        .meta({ description: 'Where it goes: one of `folder`, `s3`, `slack` and `mail`.' }),
    }),
  )
  .refine((all) => new Set(all.map(({ name }) => name)).size === all.length, { error: 'two reports have the same name' })
  .default([]);
