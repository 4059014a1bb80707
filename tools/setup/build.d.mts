/** Builds `dist` where it is missing or not of these sources. Returns its folder; throws with the compiler's words. */
export function ensureBuilt(options: { readonly node: string; readonly log?: (line: string) => void }): Promise<string>;
