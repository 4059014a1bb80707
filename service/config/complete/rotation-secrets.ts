import type { SecretRef } from '../fields.ts';
import type { FileConfig } from '../schema.ts';

/** The same section with the places of its secrets made absolute. */
export function completeRotation(
  { vault, aws, secrets }: FileConfig['rotation'],
  at: (ref: SecretRef) => SecretRef,
  absolute: (path: string) => string,
): FileConfig['rotation'] {
  return {
    ...(vault && { vault: { ...vault, token: at(vault.token) } }),
    ...(aws && {
      aws: {
        ...aws,
        ...(aws.accessKey && { accessKey: { id: at(aws.accessKey.id), secret: at(aws.accessKey.secret) } }),
        ...(aws.webIdentity && { webIdentity: { ...aws.webIdentity, tokenFile: absolute(aws.webIdentity.tokenFile) } }),
      },
    }),
    secrets: secrets.map(({ postgresRole, ...entry }) => ({
      ...entry,
      ...(postgresRole && { postgresRole: { ...postgresRole, url: at(postgresRole.url) } }),
    })),
  };
}
