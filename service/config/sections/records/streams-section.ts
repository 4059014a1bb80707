import { z } from 'zod';
import { bucketObjects, kafkaSaslMechanisms, streamFormats } from '../../../../core/streams/stream.ts';
import { bucketFields, httpUrl, id, path, secret } from '../../fields.ts';

const tls = {
  caFile: path.exactOptional().meta({
    description: 'Authorities (PEM) whose server certificates are trusted. Absent: those of the system.',
  }),
  certFile: path.exactOptional().meta({ description: 'Client certificate (PEM).' }),
  keyFile: path.exactOptional().meta({ description: 'Its private key (PEM).' }),
};

function isPair({ certFile, keyFile }: { readonly certFile?: string; readonly keyFile?: string }): boolean {
  return (certFile === undefined) === (keyFile === undefined);
}

const pair = { error: 'certFile and keyFile are needed together', path: ['certFile'] };

const http = z.strictObject({
  url: httpUrl.meta({ description: 'Where events are posted to.', examples: ['https://siem.example.com/events'] }),
  body: z.enum(['lines', 'list']).default('lines').meta({
    description: '`lines`: one event per line (NDJSON); `list`: a JSON list, which for CloudEvents is their batch format.',
  }),
  gzip: z.boolean().default(true).meta({ description: 'Whether bodies are compressed.' }),
  bearer: secret
    .exactOptional()
    .meta({ description: 'Sent as `Authorization: Bearer`. A file is read again for each delivery.' }),
  hmac: secret.exactOptional().meta({
    description:
      'Signs each delivery: `X-Firebreak-Signature` is `v1=` and the HMAC-SHA256 of `X-Firebreak-Timestamp`, a dot and the body before it is compressed.',
  }),
  tls: z.strictObject(tls).refine(isPair, pair).exactOptional().meta({
    description: 'For a URL with `https`. The files are read again for each delivery.',
  }),
});

const syslog = z.strictObject({
  host: z
    .string()
    .min(1)
    .meta({ description: 'Server that takes syslog over TLS (RFC 5424, RFC 5425).', examples: ['syslog.example.com'] }),
  port: z.int().min(1).max(65_535).default(6_514).meta({ description: 'Its port.' }),
  tls: z
    .strictObject({
      ...tls,
      serverName: z.string().min(1).exactOptional().meta({
        description: 'Name that the server’s certificate must bear. Absent: `host`.',
      }),
    })
    .refine(isPair, pair)
    .prefault({})
    .meta({ description: 'Whom to trust, and which certificate we present. The files are read again for each delivery.' }),
});

const s3 = z.strictObject({
  ...bucketFields('firebreak-events'),
  objects: z.enum(bucketObjects).default('ndjson').meta({
    description:
      '`ndjson`: compressed lines of JSON; `parquet`: columns `id`, `chain`, `time`, `kind` and `event`, which is the whole as JSON.',
  }),
});

const broker = z
  .string()
  .regex(/^(\[[\da-fA-F:.]+\]|[\w.-]+):\d{1,5}$/, { error: 'not HOST:PORT' })
  .transform((text) => {
    const { hostname, port } = new URL(`kafka://${text}`);
    return { host: hostname.replace(/^\[(.*)\]$/, '$1'), port: Number(port) };
  });

const kafka = z
  .strictObject({
    brokers: z
      .array(broker)
      .min(1)
      .meta({ description: 'Brokers that are contacted first, as `HOST:PORT`.', examples: [['kafka-1.example.com:9093']] }),
    topic: z
      .string()
      .regex(/^(?!\.{1,2}$)[\w.-]{1,249}$/, { error: 'not a valid topic name: use letters, digits, . _ and -' })
      .meta({ description: 'Topic; it must exist.', examples: ['firebreak-events'] }),
    gzip: z.boolean().default(true).meta({ description: 'Whether batches are compressed.' }),
    sasl: z
      .strictObject({
        mechanism: z.enum(kafkaSaslMechanisms).default('scram-sha-512').meta({ description: 'How we authenticate to them.' }),
        username: secret.meta({ description: 'Name of the account.' }),
        password: secret.meta({ description: 'Its password.' }),
      })
      .exactOptional()
      .meta({ description: 'An account with a password. The files are read again for each delivery.' }),
    tls: z.strictObject(tls).refine(isPair, pair).exactOptional().meta({
      description: 'Whom to trust, and which certificate we present. The files are read again for each delivery.',
    }),
    plaintext: z.boolean().default(false).meta({
      description: 'No TLS: anyone on the network path can read the events, and leave some out or add others.',
    }),
  })
  .refine(({ plaintext, tls }) => !plaintext || tls === undefined, {
    error: 'plaintext and tls cannot be combined',
    path: ['plaintext'],
  })
  .refine(({ plaintext, sasl }) => !plaintext || sasl?.mechanism !== 'plain', {
    error: 'plain sends the password as it is: it needs TLS',
    path: ['sasl', 'mechanism'],
  });

export const streams = z
  .array(
    z.strictObject({
      name: id.meta({ description: 'Its name, under which its position is stored.', examples: ['siem'] }),
      format: z.enum(streamFormats).default('ocsf').meta({
        description: '`ocsf`: events of OCSF 1.8; `cloudevents`: CloudEvents 1.0 whose data is the signed record.',
      }),
      from: z.enum(['beginning', 'now']).default('beginning').meta({
        description: 'Which records it starts with when it is first seen: all existing ones, or only new ones.',
      }),
      batch: z.int().min(1).max(5_000).default(500).meta({ description: 'Most records in one delivery.' }),
      timeoutSeconds: z.int().min(1).max(20).default(10).meta({ description: 'How long a delivery may take.' }),
      to: z
        .strictObject({
          http: http.exactOptional().meta({ description: 'HTTP.' }),
          syslog: syslog.exactOptional().meta({ description: 'Syslog over TLS.' }),
          s3: s3.exactOptional().meta({ description: 'An S3 bucket: one object per delivery.' }),
          kafka: kafka.exactOptional().meta({ description: 'A Kafka topic.' }),
        })
        .refine((to) => Object.values(to).filter((one) => one !== undefined).length === 1, {
          error: 'exactly one of http, syslog, s3 and kafka is needed',
        })
        .meta({ description: 'Where it goes: one of `http`, `syslog`, `s3` and `kafka`.' }),
    }),
  )
  .refine((all) => new Set(all.map(({ name }) => name)).size === all.length, { error: 'two streams have the same name' })
  .default([]);
