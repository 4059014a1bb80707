export function packageFaults(lock: {
  readonly packages?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
}): readonly string[];
export const imageFiles: readonly string[];
export function outsideImages(text: string): readonly string[];
export function isPinned(image: string): boolean;
export function imageFaults(text: string): readonly string[];
export function pinnedFaults(root: string): readonly string[];
