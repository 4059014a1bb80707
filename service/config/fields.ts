import { z } from 'zod';
import { namespacePattern } from '../../core/cluster/namespace-name.ts';
import { httpUrl, type SecretRef, secret } from '../../core/config/fields.schema.ts';

// Building blocks that the sections of this folder share.
export { httpUrl, type SecretRef, secret };

/** A path; relative ones are resolved from the configuration file's folder. */
export const path = z.string().min(1);

/** A namespace name as Kubernetes accepts it (RFC 1123 label). */
export const namespaceName = z
  .string()
  .regex(namespacePattern, { error: 'not a valid Kubernetes name: use lowercase letters, digits and -' });

/** The name of a namespace, or a pattern of such names: `*` stands for any characters. */
export const namespaceNames = z.string().regex(/^[a-z0-9*]([-a-z0-9*]{0,61}[a-z0-9*])?$/, {
  error: 'not the name of a namespace: use lowercase letters, digits and -, and * for any characters',
});

/** The name of a cluster, or a pattern of such names. */
export const clusterNames = z.string().regex(/^[A-Za-z0-9*]([-A-Za-z0-9._*]{0,61}[A-Za-z0-9*])?$/, {
  error: 'not a name: use letters, digits and -, and * for any characters',
});

/** https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#syntax-and-character-set */
export const labelName = z
  .string()
  .regex(/^([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?\/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/, {
    error: 'not a valid label name',
  });

/** A key in the data of a Secret. */
export const secretKey = z
  .string()
  .regex(/^[-._a-zA-Z0-9]{1,253}$/, { error: 'not a valid key of a Secret: use letters, digits, - _ and .' });

/** The namespace that Firebreak runs in, unless another one is given. */
export const usualNamespace = 'firebreak';

/** Ids that become part of workflow ids, records and file names. */
export const id = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/, {
  error: 'use only letters, digits, . _ and -, at most 63 characters, no / or space',
});

/** Id of a playbook: `PACK/PLAYBOOK`. Whether it exists depends on the packs. */
export const playbookId = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}(\/[A-Za-z0-9][A-Za-z0-9._-]{0,62})?$/, {
  error: 'not the id of a playbook: PACK/PLAYBOOK',
});

/** Location of an S3 bucket, and the credentials for it. */
export const bucketFields = (example: string) => ({
  endpoint: httpUrl.exactOptional().meta({ description: 'URL of an S3-compatible server. Absent: AWS.' }),
  region: z.string().min(1).default('us-east-1').meta({ description: 'Region.' }),
  bucket: z
    .string()
    .min(3)
    .meta({ description: 'Bucket; it must exist.', examples: [example] }),
  prefix: z.string().default('').meta({ description: 'Put before each key.' }),
  accessKeyId: secret.meta({ description: 'Access key id.' }),
  secretAccessKey: secret.meta({ description: 'Secret access key.' }),
});

/** Host and port of one listener. */
export function listen(port: number) {
  return z
    .strictObject({
      host: z.string().min(1).default('127.0.0.1').meta({ description: 'Address to listen on; `0.0.0.0` for all.' }),
      port: z.int().min(0).max(65_535).default(port).meta({ description: 'Port; 0 takes a free one.' }),
    })
    .prefault({});
}

/** Parts of a path in Vault, as its policies write it: no `/` at either end, no `..`. */
export const vaultPath = z.string().regex(/^(?!.*(^|\/)\.\.?(\/|$))[-\w.]+(\/[-\w.]+)*$/, {
  error: 'not a valid Vault path: use parts of letters, digits, - _ and . separated by /',
});

export type Environment = Readonly<Record<string, string | undefined>>;
