import { z } from 'zod';
import { path, playbookId } from '../fields.ts';

/** `packs`: playbooks besides those that are shipped. */
export const packs = z
  .array(
    z
      .strictObject({
        folder: path.exactOptional().meta({ description: 'The folder that holds `firebreak.pack.ts`.' }),
        tarball: path.exactOptional().meta({ description: 'A file that `npm pack` has made of it.' }),
        npm: z
          .string()
          .regex(/^(@[a-z0-9._-]+\/)?[a-z0-9][a-z0-9._-]{0,213}$/, { error: 'not the name of a package' })
          .exactOptional()
          .meta({
            description:
              'A package that is installed in `node_modules` beside this file, or in a folder above. Nothing is downloaded.',
          }),
        integrity: z
          .string()
          .regex(/^sha512-[A-Za-z0-9+/]{86}==$/, { error: 'not sha512-… in base64, as firebreak pack integrity prints it' })
          .exactOptional()
          .meta({
            description:
              'What its code has to be: of a tarball as npm writes it, else as `firebreak pack integrity` prints it. Has to be there; the message says what it would be now.',
          }),
      })
      .refine(({ folder, tarball, npm }) => [folder, tarball, npm].filter((one) => one !== undefined).length === 1, {
        error: 'exactly one of folder, tarball and npm is needed',
      }),
  )
  .max(50)
  .default([]);

/** `playbooks.params`: values for what playbooks leave open. Whether they fit, the envelopes say. */
export const playbookParams = z
  .record(
    playbookId,
    z.record(
      z.string(),
      z.union([z.string(), z.number(), z.boolean(), z.array(z.string())], { error: 'not a value for a parameter' }),
    ),
  )
  .default({});
