import { homedir } from 'node:os';
import { join } from 'node:path';

/** Returns where servers and other large parts are kept: outside the tree, so that all checkouts share them. */
export function cacheFolder(): string {
  const { FIREBREAK_CACHE: own, XDG_CACHE_HOME: xdg } = process.env;
  if (own) return own;
  return join(xdg || join(homedir(), '.cache'), 'firebreak');
}
