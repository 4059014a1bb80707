export function packageFaults(lock: {
  readonly packages?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
}): readonly string[];
export const imageFiles: readonly string[];
export function unpinnedImages(text: string): readonly string[];
export function imageFaults(text: string, toCome?: readonly string[]): readonly string[];
export function pinnedFaults(root: string): readonly string[];
