export const nativePackages: readonly string[];
export const bundledNatives: readonly string[];
export function bundlePrograms(options: { readonly draft: string }): Promise<void>;
