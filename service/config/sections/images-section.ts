import { z } from 'zod';
import { path } from '../fields.ts';

const host = z
  .string()
  .regex(/^[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:\d{1,5})?$/, { error: 'not a host with an optional port, in lowercase' });

const trust = z
  .strictObject({
    repositories: z
      .array(
        z.string().regex(/^[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:\d{1,5})?(\/[a-z0-9._-]+)*\/([a-z0-9._-]+|\*)$/, {
          error:
            'not a complete repository, such as registry.example.com/shop/cart, or registry.example.com/shop/* for all below it',
        }),
      )
      .min(1)
      .meta({
        description:
          'Repositories, with their registry (`docker.io/library/nginx`); `/*` at the end for all below it. The first rule that matches applies. Registries that no rule names are never asked.',
        examples: [['registry.example.com/shop/*']],
      }),
    keys: z
      .array(path)
      .default([])
      .meta({ description: 'Files with public keys (PEM) of cosign.', examples: [['cosign.pub']] }),
    keyless: z
      .array(
        z.strictObject({
          issuer: z
            .string()
            .min(1)
            .meta({
              description: 'Who vouches for the identity: the issuer in the certificate, exactly as written.',
              examples: ['https://token.actions.githubusercontent.com'],
            }),
          identity: z
            .string()
            .regex(/^[^*]+\*?$/, { error: 'a * may only be at the end, and not stand alone' })
            .meta({
              description: 'Who it is: the subject’s alternative name in the certificate; a `*` at its end stands for any text.',
              examples: ['https://github.com/example/shop/.github/workflows/release.yml@refs/heads/main'],
            }),
        }),
      )
      .default([])
      .meta({ description: 'Who may sign with a short-lived certificate. Needs `trustedRoot`.' }),
    trustedRoot: path.exactOptional().meta({
      description:
        'File with the authorities and logs that are trusted (the JSON of a sigstore trusted root: `cosign trusted-root create`). With it, signatures by key must be in one of its logs, too.',
      examples: ['trusted_root.json'],
    }),
    predicateTypes: z
      .array(z.string().min(1))
      .default([])
      .meta({
        description: 'Types of attestations that count as a signature, too. Default: none.',
        examples: [['https://slsa.dev/provenance/v1']],
      }),
  })
  .refine(({ keys, keyless }) => keys.length + keyless.length > 0, { error: 'at least one of keys and keyless is needed' })
  .refine(({ keyless, trustedRoot }) => keyless.length === 0 || trustedRoot !== undefined, {
    error: 'keyless needs a trustedRoot: without it nobody vouches for a certificate',
    path: ['keyless'],
  });

const registry = z
  .strictObject({
    host: host.meta({ description: 'Host, with its port where it has one.', examples: ['registry.example.com:5000'] }),
    caFile: path.exactOptional().meta({ description: 'Authorities (PEM) of its certificate. Default: those of the system.' }),
    plainHttp: z.boolean().default(false).meta({ description: 'No TLS. Pull secrets are never sent to it then.' }),
  })
  .refine(({ caFile, plainHttp }) => caFile === undefined || !plainHttp, {
    error: 'only one of caFile and plainHttp can be set',
  });

/** Trusted signers of the images that run, and the registries in which signatures are looked up. */
export const images = z
  .strictObject({
    trust: z
      .array(trust)
      .default([])
      .meta({ description: 'Who is trusted for which repositories. Empty: no registry is ever asked.' }),
    registries: z.array(registry).default([]).meta({
      description:
        'Registries with authorities of their own, or without TLS, and others in your network to which these redirect.',
    }),
    timeoutSeconds: z
      .int()
      .min(1)
      .max(50)
      .default(20)
      .meta({ description: 'How long the images of one pod may take together; after that they are `unknown`.' }),
  })
  .prefault({});
