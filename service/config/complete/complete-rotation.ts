import type { FileConfig } from '../schema.ts';

/** The same section with an absolute file path. */
export function completeRotation(
  { aws, ...rotation }: FileConfig['rotation'],
  absolute: (path: string) => string,
): FileConfig['rotation'] {
  return {
    ...rotation,
    ...(aws && {
      aws: {
        ...aws,
        ...(aws.webIdentity && { webIdentity: { ...aws.webIdentity, tokenFile: absolute(aws.webIdentity.tokenFile) } }),
      },
    }),
  };
}
