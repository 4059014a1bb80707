import { z } from 'zod';
import { type EvidenceClass, evidenceClasses } from '../../../core/evidence/evidence.ts';
import { bucketFields, httpUrl, id, path, secret, vaultPath } from '../fields.ts';

const mostDays = 36_500;

const times = (what: string) =>
  z
    .strictObject({
      atLeastDays: z.int().min(0).max(mostDays).default(0).meta({ description: 'Days for which nobody can destroy it.' }),
      atMostDays: z
        .int()
        .min(1)
        .max(mostDays)
        .exactOptional()
        .meta({ description: 'Days after which it is destroyed automatically. Absent: never.' }),
    })
    .refine(({ atLeastDays, atMostDays }) => atMostDays === undefined || atLeastDays <= atMostDays, {
      path: ['atMostDays'],
      error: 'it would be destroyed before it may be',
      params: { remedy: 'Make atMostDays as long as atLeastDays, or longer.' },
    })
    .prefault({})
    .meta({ description: what });

const classTexts: Readonly<Record<EvidenceClass, string>> = {
  state: 'What the API server says about pods, nodes and volumes, and the lists of processes.',
  logs: 'Logs of containers.',
  files: 'Files of containers.',
  traffic: 'Packets.',
  memory: 'Memory of containers.',
};

const vaultName = z.string().regex(/^\w[-\w.]{0,127}$/, { error: 'not a valid key name: use letters, digits, - _ and .' });

const retention = z
  .strictObject(
    Object.fromEntries(evidenceClasses.map((kind) => [kind, times(classTexts[kind])])) as Record<
      EvidenceClass,
      ReturnType<typeof times>
    >,
  )
  .prefault({})
  .meta({
    description:
      'How long the evidence of an incident is kept, by class, counted from the first piece of it. See [evidence.md](evidence.md).',
    examples: [{ files: { atLeastDays: 30, atMostDays: 180 }, memory: { atMostDays: 30 } }],
  });

export const evidence = z
  .strictObject({
    folder: path
      .exactOptional()
      .meta({ description: 'Folder that holds the evidence. Default: `evidence` in the state directory.' }),
    s3: z
      .strictObject({
        ...bucketFields('firebreak-evidence'),
        objectLock: z.enum(['governance', 'compliance']).exactOptional().meta({
          description:
            'The bucket itself protects all that is put there, including keys, for `retention.CLASS.atLeastDays`: from anyone without the right to bypass it (`governance`), or from everybody (`compliance`). The bucket must have been created with object lock.',
        }),
      })
      .exactOptional()
      .meta({ description: 'An S3 bucket in place of the folder.' }),
    keyFile: path.exactOptional().meta({
      description: 'Ed25519 private key (PEM) that signs the manifests. Default: `keys/evidence.pem` in the state directory.',
    }),
    wrapKeyFile: path.exactOptional().meta({
      description:
        '32 random bytes in base64 that wrap the keys of the incidents, with which the evidence is sealed in the store. Whoever reads it (`evidence get`) needs them too. Default: `keys/evidence-wrap.key` in the state directory.',
    }),
    vault: z
      .strictObject({
        address: httpUrl.meta({ description: 'URL of Vault or OpenBao.', examples: ['https://vault.example.com:8200'] }),
        token: secret.meta({
          description:
            'Token with the policy of [evidence.md](evidence.md). A file is read again for each call; a token that can be renewed is.',
        }),
        namespace: z.string().min(1).exactOptional().meta({ description: 'Namespace in Vault. Absent: the root.' }),
        mount: vaultPath.default('transit').meta({ description: 'Where the transit engine is mounted.' }),
        signKey: vaultName.default('firebreak-evidence').meta({ description: 'Ed25519 key that signs the manifests.' }),
        wrapKey: vaultName
          .default('firebreak-evidence-wrap')
          .meta({ description: 'AES-256-GCM key that wraps the keys of the incidents.' }),
      })
      .exactOptional()
      .meta({ description: 'Both keys are in Vault’s transit engine, which never hands them out, and not in files.' }),
    deadlineMinutes: z.int().min(1).max(1_440).default(30).meta({
      description:
        'How long after the start of its incident a destructive step waits for evidence that cannot be collected, unless people waive it.',
    }),
    stewards: z
      .array(id)
      .default([])
      .meta({
        description:
          'Groups of the roster whose people may destroy evidence, and end a hold on it. If none is named, nobody may.',
        examples: [['leads']],
      }),
    retention,
  })
  .refine(({ folder, s3 }) => folder === undefined || s3 === undefined, {
    error: 'only one of folder and s3 can hold the evidence',
  })
  .refine(({ vault, keyFile, wrapKeyFile }) => vault === undefined || (keyFile === undefined && wrapKeyFile === undefined), {
    path: ['vault'],
    error: 'the keys are in Vault or in files, not in both',
    params: { remedy: 'Remove keyFile and wrapKeyFile, or remove vault.' },
  })
  .prefault({});
