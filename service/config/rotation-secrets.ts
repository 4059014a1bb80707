import type { Config } from './complete.ts';
import type { SecretRef } from './fields.ts';
import type { ConfigProblem } from './problems.ts';

/** Credentials for `rotation`. Only for the secrets pool. */
export interface RotationSecrets {
  /** Called before each request: a file is read again. */
  readonly vaultToken?: () => string;
  /** Absent if AWS is accessed with a role. */
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
