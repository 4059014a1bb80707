import { existsSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { noteFile, type PartNote } from '../../service/parts/cache.ts';
import { cacheFolder } from '../../service/process/cache-folder.ts';
import { removeFromCache } from '../../tools/platform/parts.ts';

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;

/** A run is over long before that, and records each use: anything used since then may be in use now. */
const busyMs = 3 * hourMs;

/** How many results of changed sources are kept: enough for several checkouts side by side. */
const newest = 30;

/**
 * Removes from the cache what tests built from sources that have changed since, and older versions of parts that nothing has used for a week; safe while other
 * runs go on. Returns their folders.
 */
export function removeUnusedParts(now = Date.now()): readonly string[] {
  if (!existsSync(cacheFolder())) return [];
  const parts = readdirSync(cacheFolder())
    .filter((folder) => !/\.(draft|lock)$/.test(folder))
    .flatMap((folder) => partIn(folder));
  const byName = [...Map.groupBy(parts, ({ name }) => name).values()];
  const unused = byName.flatMap((versions) =>
    versions
      .toSorted((a, b) => b.usedAt - a.usedAt)
      .filter(({ name, usedAt }, place) => {
        const unusedMs = now - usedAt;
        if (!name.startsWith('test-')) return place > 0 && unusedMs > 7 * dayMs;
        return unusedMs > 2 * dayMs || (place >= newest && unusedMs > busyMs);
      }),
  );
  for (const { folder } of unused) removeFromCache(folder);
  return unused.map(({ folder }) => folder);
}

function partIn(folder: string): readonly { readonly folder: string; readonly name: string; readonly usedAt: number }[] {
  const file = join(cacheFolder(), folder, noteFile);
  try {
    const { name }: PartNote = JSON.parse(readFileSync(file, 'utf8'));
    return [{ folder, name, usedAt: statSync(file).mtimeMs }];
  } catch {
    // Not a part, or another run is removing it.
    return [];
  }
}

/** Node caches what it compiles for each file of each checkout, and never removes it. Anything removed here is compiled again. */
export function removeOldCompiled({ most = 50_000, now = Date.now() } = {}): void {
  const compiled = join(cacheFolder(), 'compiled');
  if (!existsSync(compiled)) return;
  for (const version of readdirSync(compiled).map((name) => join(compiled, name))) {
    const files = readdirSync(version).map((name) => join(version, name));
    if (files.length <= most) continue;
    for (const file of files)
      if (now - (statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? now) > 2 * dayMs) rmSync(file, { force: true });
  }
}
