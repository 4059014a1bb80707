import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { packImports } from '../../packs/pack-rules.ts';

/** The name by which the engine calls what `withPacks` has appended: a name of the script that running code cannot reassign. */
export const packsPart = 'firebreakPacks';

/**
 * A folder in which everything has the same path on every machine, whatever the real paths: the engine's rooms in `engine`, packages in `node_modules`. The
 * bundler names and orders modules by their paths in it, so the same code gives the same bundle.
 */
export class BundleStage {
  readonly folder = mkdtempSync(join(tmpdir(), 'firebreak-bundle-'));
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

  /** Path of an engine file in this folder. */
  pathOf(file: string): string {
    return join(this.folder, 'engine', relative(this.#root, file));
  }

  /** The modules that packs import, in the order of `packImports`. */
  doors(): readonly string[] {
    return packImports.map((name) => join(this.folder, `engine/authoring/${name.slice('firebreak/'.length)}${this.#extension}`));
  }

  /** Modules that the bundler resolves under another name than the code uses: the list of packs, extended by the part of a build that is made of them. */
  aliases(): Readonly<Record<string, string>> {
    const list = join(this.folder, `packs${this.#extension}`);
    const doors = this.doors().map((door) => `./${relative(this.folder, door)}`);
    writeFileSync(
      list,
      [
        `import { shippedPack } from './engine/playbooks/index${this.#extension}';`,
        ...doors.map((door, index) => `import * as door${index} from '${door}';`),
        `const doors = { ${packImports.map((name, index) => `'${name}': door${index}`).join(', ')} };`,
        `export const packs = [shippedPack, ...(typeof ${packsPart} === 'undefined' ? [] : ${packsPart}(doors))];`,
        '',
      ].join('\n'),
    );
    return { [join(this.folder, `engine/workflows/packs${this.#extension}`)]: list };
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** The `node_modules` folder with the engine's packages. */
export function packagesFolder(): string {
  return dirname(dirname(dirname(createRequire(import.meta.url).resolve('@temporalio/workflow/package.json'))));
}
