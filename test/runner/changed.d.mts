export function changedFiles(options: { root: string; since: string }): string[];
export function reachedTests(options: { root: string; changed: readonly string[] }): Set<string>;
