import { z } from 'zod';
import { isKeyName, parseVerifierKey } from '../../../../core/tlog/signed-note.ts';
import { bucketFields, httpUrl, path } from '../../fields.ts';

const everyMinutes = z.int().min(1).max(10_080).default(60).meta({ description: 'No more often than this.' });

const copies = z
  .strictObject({
    s3: z
      .strictObject({
        ...bucketFields('firebreak-log'),
        lock: z
          .strictObject({
            mode: z.enum(['governance', 'compliance']).meta({
              description: 'Whether holders of a special right may still remove them (`governance`), or nobody (`compliance`).',
            }),
            days: z
              .int()
              .min(1)
              .max(36_500)
              .meta({ description: 'For how long.', examples: [365] }),
          })
          .exactOptional()
          .meta({
            description:
              'Object lock, with which the bucket must have been created: no file of the log can be removed, except `checkpoint`.',
          }),
      })
      .exactOptional()
      .meta({ description: 'A bucket with all files of the log, which readers of such logs can be pointed at.' }),
    rekor: z
      .strictObject({
        url: httpUrl.meta({
          description: 'Address of a log with Rekor’s interface, version 1.',
          examples: ['https://rekor.example.com'],
        }),
        everyMinutes,
      })
      .exactOptional()
      .meta({
        description: 'Somebody else’s transparency log, which keeps what the log says of itself, and the notary’s signature.',
      }),
  })
  .prefault({});

const witness = z.strictObject({
  url: httpUrl.meta({
    description: 'Where it takes `/add-checkpoint` (C2SP tlog-witness).',
    examples: ['https://witness.example.com'],
  }),
  key: z
    .string()
    .refine((text) => parseVerifierKey(text)?.type === 'cosignature', {
      error: 'not the public key of a witness: NAME+ID+KEY, as `firebreak audit witness` and others print it',
    })
    .meta({
      description: 'Its public key: `NAME+ID+KEY`, for cosignatures (C2SP tlog-cosignature).',
      examples: ['witness.example.com+e4e30b9d+BKZ4Q1bYGkS0yOBbMfWXTMNM2rpaLzxBkrFs/4aDUmNu'],
    }),
});

/** The checkpoints as a transparency log. */
export const transparencyLog = z
  .strictObject({
    name: z
      .string()
      .refine((text) => isKeyName(text) && !text.startsWith('firebreak.'), {
        error: 'not a valid log name: use no spaces and no plus sign, and do not start it like our own signatures',
      })
      .exactOptional()
      .meta({
        description:
          'Its name, by which witnesses and verifiers know it: best the address at which it can be read, without the scheme. The same for all desks of one database. Default: `firebreak/` and the cluster’s name.',
        examples: ['logs.example.com/firebreak'],
      }),
    folder: path.exactOptional().meta({
      description:
        'Where its files are, for any web server to serve; best on another volume than the database, with another account. Each desk has its own. Default: `transparency-log` in the state directory.',
    }),
    copies: copies.meta({ description: 'Other places that are told how far the log has got, with credentials of their own.' }),
    witnesses: z.array(witness).default([]).meta({
      description:
        'Who signs, with keys that are not ours, that the log has grown and nothing in it has changed. `firebreak audit verify` asks for the signature of each.',
    }),
  })
  .prefault({});
