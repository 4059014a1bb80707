import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { packImports } from '../packs/pack-rules.ts';

/** A pack as it is to be built: its code in a folder. */
export interface StagedPack {
  readonly name: string;
  readonly write: (folder: string) => void;
  /** Path in it of the module whose default export is the pack. */
  readonly main: string;
}

/** What `bundle-main` is told of one, as JSON: its code has been looked at, and is in a folder. */
export interface PackToBundle extends Pick<StagedPack, 'name' | 'main'> {
  readonly folder: string;
}

/** By the name of this folder a place in a pack is known, in what the bundler writes. */
export const stagePrefix = 'firebreak-bundle-';

/**
 * A folder in which everything lies at the same place on every machine, whatever the real paths: the engine's rooms in `engine`, packages in
 * `node_modules`, each pack in `packs/NAME`. The bundler names and orders modules by where they lie in it, so that the same code gives the same bundle.
 */
export class BundleStage {
  readonly folder = mkdtempSync(join(tmpdir(), stagePrefix));
  readonly #root: string;
  readonly #extension: string;

  /** @param root the folder of the rooms, as sources (`.ts`) or built (`.js`). */
  constructor(root: string, extension: '.ts' | '.js') {
    this.#root = root;
    this.#extension = extension;
    mkdirSync(join(this.folder, 'engine'));
    for (const entry of readdirSync(root, { withFileTypes: true }))
      if (entry.isDirectory() && entry.name !== 'node_modules' && !entry.name.startsWith('.'))
        symlinkSync(join(root, entry.name), join(this.folder, 'engine', entry.name));
    symlinkSync(packagesFolder(), join(this.folder, 'node_modules'));
  }

  /** Where a file of the engine is seen. */
  pathOf(file: string): string {
    return join(this.folder, 'engine', relative(this.#root, file));
  }

  /** What the bundler finds under other names than the code has: the packages' doors, and the list of packs. */
  aliases(packs: readonly StagedPack[]): Readonly<Record<string, string>> {
    const doors = packImports.map((name) => {
      const door = `engine/authoring/${name.slice('firebreak/'.length)}${this.#extension}`;
      return [`${name}$`, join(this.folder, door)];
    });
    if (packs.length === 0) return Object.fromEntries(doors);
    for (const { name, write } of packs) write(join(this.folder, 'packs', name));
    const list = join(this.folder, `packs${this.#extension}`);
    writeFileSync(
      list,
      [
        `import { shippedPack } from './engine/playbooks/index${this.#extension}';`,
        ...packs.map(({ name, main }, index) => `import pack${index} from './packs/${name}/${main}';`),
        `export const packs = [shippedPack, ${packs.map((_, index) => `pack${index}`).join(', ')}];`,
        '',
      ].join('\n'),
    );
    return Object.fromEntries([...doors, [join(this.folder, `engine/workflows/packs${this.#extension}`), list]]);
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** The `node_modules` that the engine's packages are in. */
export function packagesFolder(): string {
  return dirname(dirname(dirname(createRequire(import.meta.url).resolve('@temporalio/workflow/package.json'))));
}
