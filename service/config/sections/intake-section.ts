import { z } from 'zod';
import { ownSensor } from '../../../core/alert/own-alerts.ts';
import { id, listen, namespaceName, path, secret } from '../fields.ts';

const senderName = id
  .refine((name) => name !== ownSensor, { error: `${ownSensor} is the name of Firebreak’s own alerts` })
  .meta({ description: 'Who sends with it; goes into the records.', examples: ['falco'] });

const tokens = z
  .array(
    z.strictObject({
      name: senderName,
      token: secret.meta({ description: 'The shared secret: Bearer, Basic password or last part of the path.' }),
    }),
  )
  .default([])
  .meta({
    description:
      'Who may send alerts, by a shared secret. The same name may be listed several times while its secret is rotated.',
    examples: [[{ name: 'falco', token: { env: 'FALCO_TOKEN' } }]],
  });

const signatures = z
  .array(
    z.strictObject({
      name: senderName,
      secret: secret.meta({ description: 'Key of the HMAC-SHA256.' }),
    }),
  )
  .default([])
  .meta({
    description: 'Who may send alerts by signing the body: `X-Firebreak-Signature: v1=HEX` and `X-Firebreak-Timestamp`.',
    examples: [[{ name: 'siem', secret: { env: 'SIEM_SECRET' } }]],
  });

const clients = z
  .array(
    z.strictObject({
      name: senderName,
      subject: z
        .string()
        .min(1)
        .regex(/^[^*]*\*?[^*]*$/, { error: 'more than one *' })
        .meta({
          description: 'DNS or URI name, or common name, of the certificate; one `*` stands for any text without a slash.',
          examples: ['spiffe://example.org/falco/*'],
        }),
      bindNode: z.boolean().default(false).meta({
        description: 'What the `*` stands for is the sender’s node: nothing automatic then happens to pods on other nodes.',
      }),
    }),
  )
  .default([])
  .meta({ description: 'Which client certificates belong to which sender.' });

const tls = z
  .strictObject({
    certFile: path.meta({ description: 'Certificate (PEM) with its chain. Read again when it changes.' }),
    keyFile: path.meta({ description: 'Its private key (PEM).' }),
    clientCaFile: path.exactOptional().meta({ description: 'Authorities (PEM) whose client certificates are trusted.' }),
    requireClientCertificate: z
      .boolean()
      .default(false)
      .meta({ description: 'No connection without a client certificate; tokens and signatures open nothing then.' }),
    clients,
  })
  .refine(({ clientCaFile, clients: listed }) => (clientCaFile === undefined) === (listed.length === 0), {
    error: 'clientCaFile and clients are needed together',
    path: ['clients'],
  })
  .refine(({ clientCaFile, requireClientCertificate }) => clientCaFile !== undefined || !requireClientCertificate, {
    error: 'a client certificate cannot be required without clientCaFile',
    path: ['requireClientCertificate'],
  })
  .refine(({ clients: listed }) => listed.every(({ bindNode, subject }) => !bindNode || subject.includes('*')), {
    error: 'bindNode needs a * in subject',
    path: ['clients'],
  })
  .exactOptional()
  .meta({ description: 'TLS, and senders with client certificates. Absent: plain HTTP, for behind a proxy or on one machine.' });

const senders = z
  .array(
    z.strictObject({
      name: id.meta({ description: 'A name from `tokens`, `signatures` or `tls.clients`.', examples: ['falco'] }),
      clusters: z.array(id).min(1).exactOptional().meta({
        description: 'Clusters that it may speak for; items that name another one are refused. Default: not checked.',
      }),
      namespaces: z
        .array(namespaceName)
        .min(1)
        .exactOptional()
        .meta({ description: 'Namespaces whose pods it may report on; it may report on nothing else. Default: all, and nodes.' }),
      node: z.string().min(1).max(253).exactOptional().meta({
        description: 'The one node that it sees: nothing automatic happens to pods on other nodes.',
      }),
      alertsPerSecond: z
        .int()
        .min(1)
        .default(20_000)
        .meta({ description: 'Alerts per second that it may send continuously. What is rejected counts as one.' }),
      burst: z.int().min(1).default(100_000).meta({
        description: 'Alerts that it may send at once. A further quarter is reserved for critical ones.',
      }),
    }),
  )
  .default([])
  .meta({
    description:
      'Limits of individual senders; one that is not listed has the default rates and may report on the whole cluster.',
  });

const spool = z
  .strictObject({
    maxBytes: z
      .int()
      .min(1_048_576)
      .default(1_073_741_824)
      .meta({ description: 'Size at which alerts are refused with 503 and Retry-After.' }),
  })
  .prefault({});

const storm = z
  .strictObject({
    alertsPerSecond: z
      .int()
      .min(1)
      .default(50)
      .meta({ description: 'Accepted alerts per second, over ten seconds, from which it is a storm.' }),
    workloads: z
      .int()
      .min(1)
      .default(20)
      .meta({ description: 'And on at least this many workloads: what one workload does is reported by its incident.' }),
    calmAfterSeconds: z
      .int()
      .min(10)
      .max(3_600)
      .default(120)
      .meta({ description: 'It is over after this long at less than half the rate.' }),
  })
  .prefault({})
  .meta({ description: 'When people are told about a storm across many workloads.' });

export const intake = z
  .strictObject({ listen: listen(8765), tokens, signatures, tls, senders, spool, storm })
  .refine(
    ({ tokens: some, signatures: others, tls: certified }) => some.length + others.length + (certified?.clients.length ?? 0) > 0,
    {
      error: 'at least one token, signature or client certificate is needed: the intake takes no alert without one',
      path: ['tokens'],
    },
  )
  .superRefine((section, context) => {
    const known = [...section.tokens, ...section.signatures, ...(section.tls?.clients ?? [])].map(({ name }) => name);
    section.senders.forEach(({ name }, index) => {
      const twice = section.senders.findIndex((other) => other.name === name) < index;
      if (known.includes(name) && !twice) return;
      const message = twice ? 'this sender is listed twice' : 'no token, signature or client has this name';
      const remedy = twice ? 'Keep one of the two.' : known.length === 0 ? 'Remove it.' : `Name one of: ${known.join(', ')}.`;
      context.addIssue({ code: 'custom', message, path: ['senders', index, 'name'], params: { remedy } });
    });
  });
