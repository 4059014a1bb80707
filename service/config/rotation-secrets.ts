import type { Config } from './complete.ts';
import type { SecretRef } from './fields.ts';
import type { ConfigProblem } from './problems.ts';

/** Credentials for `rotation`. Of the secrets pool only. */
export interface RotationSecrets {
  /** Asked before each call: a file is read anew. */
  readonly vaultToken?: () => string;
  /** Absent where AWS is asked with a role. */
  readonly awsKey?: { readonly accessKeyId: string; readonly secretAccessKey: string };
  /** One for each entry of `rotation.secrets`, in its order. */
  readonly entries: readonly { readonly postgresUrl?: string }[];
}

export function rotationSecrets(
  { vault, aws, secrets }: Config['rotation'],
  read: { text(path: string, ref: SecretRef): string; current(path: string, ref: SecretRef): () => string },
  problems: ConfigProblem[],
): RotationSecrets {
  const entries = secrets.map(({ postgresRole }, index) => {
    if (!postgresRole) return {};
    const path = `rotation.secrets[${index}].postgresRole.url`;
    const postgresUrl = read.text(path, postgresRole.url);
    if (postgresUrl !== '' && !isPostgresUrl(postgresUrl))
      problems.push({
        path,
        problem: 'it does not hold a postgres:// URL with a user',
        remedy: 'Put one there: postgres://USER:PASSWORD@HOST:PORT/DATABASE.',
      });
    return { postgresUrl };
  });
  return {
    ...(vault && { vaultToken: read.current('rotation.vault.token', vault.token) }),
    ...(aws?.accessKey && {
      awsKey: {
        accessKeyId: read.text('rotation.aws.accessKey.id', aws.accessKey.id),
        secretAccessKey: read.text('rotation.aws.accessKey.secret', aws.accessKey.secret),
      },
    }),
    entries,
  };
}

function isPostgresUrl(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, username } = new URL(text);
  return ['postgres:', 'postgresql:'].includes(protocol) && username !== '';
}
