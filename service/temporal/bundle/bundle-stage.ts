import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { packImports } from '../../packs/pack-rules.ts';

/** How the engine calls what `withPacks` has put behind it: a name of the script, which nothing that runs can give another value. */
export const packsPart = 'firebreakPacks';

/**
 * A folder in which everything lies at the same place on every machine, whatever the real paths: the engine's rooms in `engine`, packages in
 * `node_modules`. The bundler names and orders modules by where they lie in it, so that the same code gives the same bundle.
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

  /** Where a file of the engine is seen. */
  pathOf(file: string): string {
    return join(this.folder, 'engine', relative(this.#root, file));
  }

  /** The modules that packs import, in order of `packImports`. */
  doors(): readonly string[] {
    return packImports.map((name) => join(this.folder, `engine/authoring/${name.slice('firebreak/'.length)}${this.#extension}`));
  }

  /** What the bundler finds under another name than the code has: the list of packs, which the part of a build that is made of them adds to. */
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

/** The `node_modules` that the engine's packages are in. */
export function packagesFolder(): string {
  return dirname(dirname(dirname(createRequire(import.meta.url).resolve('@temporalio/workflow/package.json'))));
}
