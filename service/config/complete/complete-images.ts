import type { FileConfig } from '../schema.ts';

/** The same section with absolute file paths. */
export function completeImages(
  { trust, registries, ...rest }: FileConfig['images'],
  absolute: (path: string) => string,
): FileConfig['images'] {
  return {
    ...rest,
    trust: trust.map(({ trustedRoot, ...rule }) => ({
      ...rule,
      keys: rule.keys.map(absolute),
      ...(trustedRoot !== undefined && { trustedRoot: absolute(trustedRoot) }),
    })),
    registries: registries.map(({ caFile, ...registry }) => ({
      ...registry,
      ...(caFile !== undefined && { caFile: absolute(caFile) }),
    })),
  };
}
