import { z } from 'zod';
import { bucketFields, id, path, playbookId, secret } from '../fields.ts';

/** `packs`: playbooks in addition to the shipped ones. */
export const packs = z
  .array(
    z
      .strictObject({
        folder: path.exactOptional().meta({ description: 'The folder that holds `firebreak.pack.ts`.' }),
        tarball: path.exactOptional().meta({ description: 'A tarball that `npm pack` made of it.' }),
        npm: z
          .string()
          .regex(/^(@[a-z0-9._-]+\/)?[a-z0-9][a-z0-9._-]{0,213}$/, { error: 'not the name of a package' })
          .exactOptional()
          .meta({
            description:
              'A package that is installed in `node_modules` next to this file, or in a folder above. Nothing is downloaded.',
          }),
        release: z
          .string()
          .regex(/^[a-z][a-z0-9-]{0,39}$/, { error: 'not the name of a pack' })
          .exactOptional()
          .meta({
            description:
              'A pack whose versions are in the store of `releases`, by its name. People decide which version runs: `firebreak pack promote`.',
          }),
        secrets: z
          .record(z.string(), secret)
          .default({})
          .meta({
            description:
              'Secrets that its own actions get under these names, each only those that it declares. Only the pool `packs` reads them.',
            examples: [{ cloudToken: { env: 'CLOUD_TOKEN' } }],
          }),
        settings: z
          .record(z.string(), z.string().max(1_000))
          .default({})
          .meta({
            description: 'Other values that its own actions get and that are not secret.',
            examples: [{ endpoint: 'https://cloud.example' }],
          }),
        integrity: z
          .string()
          .regex(/^sha512-[A-Za-z0-9+/]{86}==$/, { error: 'not sha512-… in base64, as firebreak pack integrity prints it' })
          .exactOptional()
          .meta({
            description:
              'The hash that its code must have: of a tarball as npm writes it, else as `firebreak pack integrity` prints it. Required, except with `release`; the message says what it would be now.',
          }),
      })
      .refine((pack) => [pack.folder, pack.tarball, pack.npm, pack.release].filter((one) => one !== undefined).length === 1, {
        error: 'exactly one of folder, tarball, npm and release is needed',
      })
      .refine(({ release, integrity }) => release === undefined || integrity === undefined, {
        path: ['integrity'],
        error: 'the integrity of a release is in the order that promotes it',
        params: { remedy: 'Remove integrity.' },
      }),
  )
  .max(50)
  .default([]);

/** `releases`: where published pack versions and the builds of cells are stored, and whose packs are trusted. */
export const releases = z
  .strictObject({
    folder: path
      .exactOptional()
      .meta({ description: 'Folder that all cells share. Default, without `s3`: `releases` in the state directory.' }),
    s3: z
      .strictObject({
        ...bucketFields('firebreak-releases'),
      })
      .exactOptional()
      .meta({ description: 'An S3 bucket in place of the folder.' }),
    publishers: z
      .array(
        z.strictObject({
          name: id.meta({ description: 'Its name, for people to read.', examples: ['platform-team'] }),
          key: path.meta({ description: 'Public key (PEM): `firebreak pack publish` signs with its private half.' }),
        }),
      )
      .default([])
      .meta({ description: 'Whose packs may be promoted. If none is named, nobody’s.' }),
  })
  .refine(({ folder, s3 }) => folder === undefined || s3 === undefined, { error: 'only one of folder and s3 can hold releases' })
  .prefault({});

/** `playbooks.params`: values for parameters that playbooks leave open. The envelopes determine whether they fit. */
export const playbookParams = z
  .record(
    playbookId,
    z.record(
      z.string(),
      z.union([z.string(), z.number(), z.boolean(), z.array(z.string())], { error: 'not a value for a parameter' }),
    ),
  )
  .default({});
