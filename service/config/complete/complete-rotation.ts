import type { FileConfig } from '../schema.ts';

/** The same section with the path of its file made absolute. */
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
