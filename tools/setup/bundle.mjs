/**
 * Bundles the compiler's output into few files: one program with what it needs from packages, and a separate chunk for each thing that is loaded on demand. The
 * cost of a start depends on the number of modules: with 2 500 it took 1.4 s of CPU time. Plain JavaScript, see setup.mjs.
 */
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { root } from './setup.mjs';

/** The files that Node is started with, or that packs and their tests import; their locations are part of the public interface. */
const programs = [
  'authoring/actions',
  'authoring/alerts',
  'authoring/playbook',
  'authoring/testing',
  'service/check/try-main',
  'service/commands/main',
  'service/packs/own/action-host-main',
  'service/packs/describe-main',
  'service/packs/observe-main',
  'service/records/workers/check-main',
  'service/records/workers/measure-main',
  'service/simulation/sandbox-main',
  'service/temporal/bundle/bundle-main',
  'service/temporal/failure-converter',
  'service/temporal/runner/runner-main',
  'testing/watch/loop-watch-main',
];

/** Files that stay separate: the launcher's entry point, and what is embedded in pages as text. */
const separate = ['service/cli.js', 'core/bundle/verify-bundle.js'];

/** Packages with a machine-specific part: they are installed next to the program. Each is small, or loaded on demand. */
export const nativePackages = ['@swc/core', '@temporalio/core-bridge', 'lmdb'];

/** Of these everything is in the program except the machine-specific part. */
export const bundledNatives = ['@temporalio/core-bridge'];

/** Packages that others would use if they were installed. */
const optionalPackages = ['bufferutil', 'pg-native', 'utf-8-validate'];

/** Placeholder for a path in `dist` that is written into the code, until the depth of the file that contains it is known. */
const distMark = 'firebreak-dist:';

/** Bundles the programs in `draft`, which the compiler has filled, and removes the files that have become part of them. */
export async function bundlePrograms({ draft }) {
  const { build } = await import('esbuild');
  const { outputFiles, metafile } = await build({
    absWorkingDir: root,
    entryPoints: Object.fromEntries(programs.map((program) => [program, join(draft, `${program}.js`)])),
    outdir: draft,
    chunkNames: 'chunks/[name]-[hash]',
    bundle: true,
    splitting: true,
    write: false,
    metafile: true,
    format: 'esm',
    platform: 'node',
    target: 'node22.19',
    // For packages with both, the entry that Node uses for `import`, but as modules if available: unused code is left out.
    mainFields: ['module', 'main'],
    external: [...nativePackages.filter((name) => !bundledNatives.includes(name)), ...optionalPackages],
    // No file refers to its map: tools that load a file with a map would also look for its sources (Vite). Stacks are mapped when they are shown.
    sourcemap: 'external',
    sourcesContent: false,
    // They are in licenses.txt, with all the others.
    legalComments: 'none',
    banner: {
      js: "import { createRequire as firebreakRequire } from 'node:module'; const require = firebreakRequire(import.meta.url);",
    },
    plugins: [places(draft), packages()],
    tsconfigRaw: {},
    logLevel: 'silent',
  });
  for (const name of readdirSync(draft, { recursive: true, encoding: 'utf8' })) {
    const file = join(draft, name);
    // The compiler's output has its types next to it.
    if (name.endsWith('.js.map')) rmSync(file);
    else if (separate.includes(name))
      writeFileSync(file, readFileSync(file, 'utf8').replace(/\n\/\/# sourceMappingURL=\S+\s*$/, '\n'));
    else if (name.endsWith('.js') && existsSync(file.replace(/\.js$/, '.d.ts'))) rmSync(file);
  }
  for (const { path, text } of outputFiles) {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(
      path,
      path.endsWith('.map') ? mapFromDist(text) : text.replaceAll(distMark, `${relative(dirname(path), draft)}/`),
    );
  }
  cpSync(join(root, 'node_modules/source-map/lib/mappings.wasm'), join(draft, 'chunks', 'mappings.wasm'));
  const folders = packageFolders(Object.keys(metafile.inputs));
  writeFileSync(join(draft, 'packages.json'), `${JSON.stringify(folders, undefined, 2)}\n`);
  writeFileSync(join(draft, 'licenses.txt'), licenses(folders));
}

/** The draft is one folder deeper than its final place. */
function mapFromDist(text) {
  const map = JSON.parse(text);
  return JSON.stringify({ ...map, sources: map.sources.map((source) => source.replace('../', '')) });
}

/** Our own files find what lies next to them at their original place, not at that of the file that they were bundled into. */
function places(draft) {
  return {
    name: 'places',
    setup: ({ onLoad }) => {
      // Limited to the rooms: each file passed to it costs time.
      onLoad({ filter: new RegExp(`^${draft.replaceAll('.', '\\.')}/`) }, ({ path }) => {
        const inDraft = relative(draft, path);
        const code = readFileSync(path, 'utf8');
        if (!/import\.meta\.(dirname|filename)/.test(code)) return undefined;
        return {
          contents: code
            .replaceAll('import.meta.dirname', placeIn(dirname(inDraft)))
            .replaceAll('import.meta.filename', placeIn(inDraft)),
        };
      });
    },
  };
}

/** Returns code that evaluates to the location of `path` in `dist`. */
function placeIn(path) {
  return `process.getBuiltinModule('node:url').fileURLToPath(new URL('${distMark}${path}', import.meta.url))`;
}

/** The file with `KubeConfig`, the only thing used from the client. */
const kubeConfig = 'node_modules/@kubernetes/client-node/dist/config.js';

/** Code for each place in which packages look for something. */
const packagePlaces = {
  chunks: placeIn('chunks'),
  coreBridge: "dirname(createRequire(import.meta.url).resolve('@temporalio/core-bridge/package.json'))",
};

/** Paths that packages use to find things next to their own files, as written in them. */
const placesInPackages = [
  // Its Rust part is not in the program, but where the package was installed.
  [/@temporalio\/core-bridge\/common\.js$/, '__dirname', 'coreBridge'],
  [/source-map\/lib\/read-wasm\.js$/, '__dirname', 'chunks'],
  // For tests of workflows that are bundled at run time; ours are bundled beforehand.
  [/@temporalio\/testing\/lib\/index\.js$/, '__dirname', 'chunks'],
];

/** Parts of packages that none of our programs reaches: a bundler, a debugger, a client of another server. */
const absentInPackages = [
  [
    /@temporalio\/worker\/lib\/workflow\/bundler\.js$/,
    `exports.defaultWorkflowInterceptorModules = [];
const absent = () => { throw new Error('workflows are bundled in a checkout'); };
exports.bundleWorkflowCode = absent;
exports.WorkflowCodeBundler = class { constructor() { absent(); } };`,
  ],
  [/@temporalio\/worker\/lib\/debug-replayer\/index\.js$/, 'exports.startDebugReplayer = undefined;'],
  // Schemas stored on a server: our events contain theirs.
  [/@platformatic\/kafka\/dist\/registries\/confluent-schema-registry\.js$/, 'export {};'],
];

/** Handles what packages find by the location of their files, and what is left out of them. Throws if a package no longer matches what is known here. */
function packages() {
  const places = 'firebreak:places';
  return {
    name: 'packages',
    setup: ({ onLoad, onResolve }) => {
      onResolve({ filter: new RegExp(`^${places}$`) }, () => ({ path: places, namespace: 'firebreak' }));
      onLoad({ filter: /./, namespace: 'firebreak' }, () => ({
        contents: [
          "import { createRequire } from 'node:module';",
          "import { dirname } from 'node:path';",
          ...Object.entries(packagePlaces).map(([name, code]) => `export const ${name} = ${code};`),
        ].join('\n'),
      }));
      for (const [filter, written, name] of placesInPackages)
        onLoad({ filter }, ({ path }) => {
          const code = readFileSync(path, 'utf8');
          if (!code.includes(written)) throw new Error(`${path} no longer contains ${written}`);
          return { contents: code.replaceAll(written, `require('${places}').${name}`) };
        });
      for (const [filter, contents] of absentInPackages) onLoad({ filter }, () => ({ contents }));
      // Only one of its thousands of classes is used, and the package does not declare that they can be separated.
      onResolve({ filter: /^@kubernetes\/client-node$/ }, () => ({ path: join(root, kubeConfig), sideEffects: false }));
      // The same code, without a separate file next to it.
      onResolve({ filter: /^@platformatic\/wasm-utils$/ }, () => ({
        path: join(root, 'node_modules/@platformatic/wasm-utils/dist/bundled.js'),
      }));
      onResolve({ filter: /^\.\/gen\/index\.js$/ }, ({ path, resolveDir }) => ({
        path: join(resolveDir, path),
        sideEffects: false,
      }));
    },
  };
}

/** Paths of all packages that the program contains parts of, as in the lock. */
function packageFolders(inputs) {
  const folders = inputs.flatMap((file) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+(?=\/)/.exec(file)?.[0] ?? []);
  return [...new Set(folders)].sort();
}

/** The licences of these packages, as each of them requires. */
function licenses(folders) {
  return folders
    .map((folder) => {
      const { name, version, license } = JSON.parse(readFileSync(join(root, folder, 'package.json'), 'utf8'));
      const texts = readdirSync(join(root, folder))
        .filter((file) => /^(licen[sc]e|copying|notice)/i.test(file))
        .sort()
        .map((file) => readFileSync(join(root, folder, file), 'utf8').trim());
      return `${name} ${version} (${license ?? 'see below'})\n\n${texts.join('\n\n')}\n`;
    })
    .join(`\n${'-'.repeat(80)}\n\n`);
}
