/**
 * Makes few files of what the compiler has made: one program with what it takes from packages, and a part of its own for each thing that is loaded
 * when it is asked for. A start costs by the number of modules: of 2 500 it took 1.4 s of the processor. Plain JavaScript, see setup.mjs.
 */
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { root } from './setup.mjs';

/** What Node is started with, or what packs and their tests import; where each lies is part of what is published. */
const programs = [
  'authoring/actions',
  'authoring/alerts',
  'authoring/playbook',
  'authoring/testing',
  'service/check/try-main',
  'service/commands/main',
  'service/packs/action-host-main',
  'service/packs/describe-main',
  'service/packs/observe-main',
  'service/records/workers/check-main',
  'service/records/workers/measure-main',
  'service/simulation/sandbox-main',
  'service/temporal/bundle/bundle-main',
  'service/temporal/failure-converter',
  'service/temporal/workflow-thread',
  'testing/watch/loop-watch-main',
];

/** What stays a file of its own: the launcher's way in, and what is put into pages as text. */
const separate = ['service/cli.js', 'core/bundle/verify-bundle.js'];

/** Packages with a part for one kind of machine: they are installed beside the program. Each is small, or loaded when it is asked for. */
export const nativePackages = ['@swc/core', '@temporalio/core-bridge', 'lmdb'];

/** Of these all is in the program but the part for one kind of machine. */
export const bundledNatives = ['@temporalio/core-bridge'];

/** Packages that others would use if they were there. */
const optionalPackages = ['bufferutil', 'pg-native', 'utf-8-validate'];

/** Stands where a place in `dist` is written into the code, until it is known how deep the file lies that it came into. */
const distMark = 'firebreak-dist:';

/** Bundles the programs in `draft`, which the compiler has filled, and takes away what has become part of them. */
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
    // Of packages that have both, the same that Node takes for `import`, but as modules where they have them: what is not used is left out.
    mainFields: ['module', 'main'],
    external: [...nativePackages.filter((name) => !bundledNatives.includes(name)), ...optionalPackages],
    // Nothing names them: who loads a file with a map would look for its sources, too (Vite). A stack is read with them when it is shown.
    sourcemap: 'external',
    sourcesContent: false,
    // In licenses.txt, with all the others.
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
    // What the compiler has made has its types beside it.
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

/** The draft lies one folder deeper than what it becomes. */
function mapFromDist(text) {
  const map = JSON.parse(text);
  return JSON.stringify({ ...map, sources: map.sources.map((source) => source.replace('../', '')) });
}

/** Our own files find what lies beside them at the place where they were, and not at that of the file that they came into. */
function places(draft) {
  return {
    name: 'places',
    setup: ({ onLoad }) => {
      // Of the rooms alone: each file that it is asked about costs.
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

/** Code that says where `path` of `dist` is. */
function placeIn(path) {
  return `process.getBuiltinModule('node:url').fileURLToPath(new URL('${distMark}${path}', import.meta.url))`;
}

/** Where `KubeConfig` is, which is all that is taken from the client. */
const kubeConfig = 'node_modules/@kubernetes/client-node/dist/config.js';

/** Code for each place that packages look for something in. */
const packagePlaces = {
  chunks: placeIn('chunks'),
  coreBridge: "dirname(createRequire(import.meta.url).resolve('@temporalio/core-bridge/package.json'))",
};

/** What packages look for beside their own files, as they stand in them. */
const placesInPackages = [
  // Its part in Rust is not in the program, and is where the package was installed.
  [/@temporalio\/core-bridge\/common\.js$/, '__dirname', 'coreBridge'],
  [/source-map\/lib\/read-wasm\.js$/, '__dirname', 'chunks'],
  // For tests of workflows that are bundled as they run; ours are bundled before.
  [/@temporalio\/testing\/lib\/index\.js$/, '__dirname', 'chunks'],
];

/** Parts of packages that no program of ours reaches: a bundler of its own, a debugger, a client of another server. */
const absentInPackages = [
  [
    /@temporalio\/worker\/lib\/workflow\/bundler\.js$/,
    `exports.defaultWorkflowInterceptorModules = [];
const absent = () => { throw new Error('workflows are bundled in a checkout'); };
exports.bundleWorkflowCode = absent;
exports.WorkflowCodeBundler = class { constructor() { absent(); } };`,
  ],
  [/@temporalio\/worker\/lib\/debug-replayer\/index\.js$/, 'exports.startDebugReplayer = undefined;'],
  // Schemas that a server keeps: events have theirs in them.
  [/@platformatic\/kafka\/dist\/registries\/confluent-schema-registry\.js$/, 'export {};'],
];

/** What packages find by where their files lie, and what is left out of them. Throws where a package is no longer as it is known here. */
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
          if (!code.includes(written)) throw new Error(`${path} has no ${written} any more`);
          return { contents: code.replaceAll(written, `require('${places}').${name}`) };
        });
      for (const [filter, contents] of absentInPackages) onLoad({ filter }, () => ({ contents }));
      // One class of it is used, of thousands of which it does not say that they can be told apart.
      onResolve({ filter: /^@kubernetes\/client-node$/ }, () => ({ path: join(root, kubeConfig), sideEffects: false }));
      // The same, without a file beside it.
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

/** Where all packages lie of which something is in the program, as the lock names them. */
function packageFolders(inputs) {
  const folders = inputs.flatMap((file) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+(?=\/)/.exec(file)?.[0] ?? []);
  return [...new Set(folders)].sort();
}

/** The licences of these packages, as each demands. */
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
