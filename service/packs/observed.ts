import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { PromotionTerms } from '../../core/orders/promotion.ts';
import { ensureFolderSync } from '../../integrations/ensure-folder.ts';

/** What an observed version would have done about an alert. */
export interface Observed {
  readonly at: string;
  readonly incident: string;
  readonly rule: string;
  readonly playbook: string;
  readonly outcome: string;
  readonly asks: readonly string[];
  /** Earlier answers of people that it would have received. Absent: none. */
  readonly answered?: readonly string[];
  /** Actions that had failed, and would have failed for it. */
  readonly failed?: readonly string[];
  /** Actions whose earlier outputs were reused. */
  readonly given?: readonly string[];
}

const mostListed = 200;

function folderOf(stateDir: string): string {
  return join(stateDir, 'packs', 'observed');
}

function fileOf(stateDir: string, { pack, release }: Pick<PromotionTerms, 'pack' | 'release'>): string {
  return join(folderOf(stateDir), `${pack}@${release}.json`);
}

/** Adds one observation of a version. */
export function rememberObserved(stateDir: string, version: Pick<PromotionTerms, 'pack' | 'release'>, one: Observed): void {
  const path = fileOf(stateDir, version);
  ensureFolderSync(dirname(path));
  writeFileSync(path, JSON.stringify([...observedOf(stateDir, version), one].slice(-mostListed)), { mode: 0o600 });
}

/** Returns what a cell with this state directory has observed of a version, newest last; at most 200. */
export function observedOf(stateDir: string, version: Pick<PromotionTerms, 'pack' | 'release'>): readonly Observed[] {
  try {
    const found: unknown = JSON.parse(readFileSync(fileOf(stateDir, version), 'utf8'));
    return Array.isArray(found) ? found : [];
  } catch {
    return [];
  }
}

/** The same for one playbook, in any version of its pack: newest last. */
export function observedWith(stateDir: string, playbook: string): readonly (Observed & { readonly version: string })[] {
  const [pack = ''] = playbook.split('/');
  const folder = folderOf(stateDir);
  const versions = (existsSync(folder) ? readdirSync(folder) : [])
    .filter((file) => file.startsWith(`${pack}@`))
    .map((file) => basename(file, '.json'));
  return versions
    .flatMap((version) =>
      observedOf(stateDir, { pack, release: version.slice(pack.length + 1) })
        .filter((one) => one.playbook === playbook)
        .map((one) => ({ ...one, version })),
    )
    .toSorted((a, b) => Date.parse(a.at) - Date.parse(b.at));
}
