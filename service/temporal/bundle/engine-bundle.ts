import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type BundleOptions, bundleWorkflowCode } from '@temporalio/worker';
import { readBuild, type WorkflowBuild } from './bundle.ts';
import { BundleStage, packagesFolder } from './bundle-stage.ts';
import { withLoopBudget } from './loop-budget.ts';
import { linesOfPlaybooks, withLines } from './playbook-lines.ts';

/** Folder of the rooms that this file belongs to. */
const ownRoot = join(import.meta.dirname, '..', '..', '..');
const extension = import.meta.filename.endsWith('.ts') ? '.ts' : '.js';

/**
 * Modules that all workflows of a worker share, with everything they import: evaluated once and frozen. What they remember may depend only on their arguments;
 * otherwise one incident would know of another, and no history would replay. Third-party packs are not included, but what they import is. With its own copy,
 * each incident took 21 MB and 87 ms of CPU to find out which playbook answers its first alert.
 */
const sharedModules = ['core/playbook/answering', 'playbooks/index'];

/**
 * Reading one of these from the sandbox's global object costs 150 ns because Node is asked each time; reading a variable costs nothing. The globals that
 * Temporal replaces (`Date`, `setTimeout`, `WeakRef`) are still read there.
 */
const intrinsics =
  'Array BigInt Boolean Error JSON Map Number Object Promise Proxy RangeError Reflect RegExp Set String Symbol TypeError Uint8Array WeakMap WeakSet isFinite isNaN parseFloat parseInt';

/** How webpack opens the function that contains all modules. */
const opening = '(() => { // webpackBootstrap';

/**
 * Bundles the workflows and what is shipped, so that the result depends only on their source, not on its location. Takes some seconds. Packs of a configuration
 * are appended by `withPacks`.
 */
export async function bundleWorkflows(options: {
  readonly workflowsPath: string;
  readonly outFile: string;
  /** The folder of the rooms, which contains `workflowsPath`. Absent: the one that this file is run from. */
  readonly root?: string;
}): Promise<WorkflowBuild> {
  const { workflowsPath, outFile, root = ownRoot } = options;
  const stage = new BundleStage(root, extension);
  try {
    return await bundleOn(stage, { workflowsPath, outFile, root });
  } finally {
    stage.remove();
  }
}

async function bundleOn(
  stage: BundleStage,
  { workflowsPath, outFile, root }: Required<Parameters<typeof bundleWorkflows>[0]>,
): Promise<WorkflowBuild> {
  const aliases = stage.aliases();
  const { code } = await bundleWorkflowCode({
    workflowsPath: stage.pathOf(workflowsPath),
    // Turns every payload of a workflow into a message, and accepts nothing else.
    workflowInterceptorModules: [stage.pathOf(join(root, 'workflows', `messages${extension}`))],
    failureConverterPath: stage.pathOf(join(root, 'service', 'temporal', `failure-converter${extension}`)),
    preloadModules: [...sharedModules.map((path) => stage.pathOf(join(root, `${path}${extension}`))), ...stage.doors()],
    logger: { log: noLog, trace: noLog, debug: noLog, info: noLog, warn: noLog, error: noLog },
    webpackConfigHook: (config) => ({
      ...config,
      context: stage.folder,
      mode: 'production',
      module: { ...config.module, rules: config.module?.rules?.map(forThisNode) ?? [] },
      optimization: { ...config.optimization, minimize: false, moduleIds: 'named', chunkIds: 'named' },
      resolve: {
        ...config.resolve,
        // Otherwise modules would be identified by their real paths again.
        symlinks: false,
        modules: config.resolve?.modules?.map((path) => path.replace(packagesFolder(), join(stage.folder, 'node_modules'))) ?? [],
        alias: { ...config.resolve?.alias, ...aliases },
      },
    }),
  });
  // The worker requires a source map in the bundle. One of the playbooks alone keeps the id independent of paths, and saves the memory of the full one.
  const text = withIntrinsics(withLines(withLoopBudget(code), linesOfPlaybooks(code)));
  if (/node_modules\/zod\//.test(text)) {
    throw new Error(
      'zod is in the workflow bundle: a schema there is kept per cached workflow until the isolate is out of memory; import it as a type only',
    );
  }
  // How webpack marks a separate module, and one that it has merged into another.
  const heads = text.matchAll(/^(?:\/\*\*\*\/ "|;\/\/ )(\S*workflows\/messages\.[jt]s)"?$/gm);
  if (new Set(Array.from(heads, ([, path]) => path)).size > 1) {
    throw new Error(
      'workflows/messages is in the workflow bundle twice: workflows do not learn from one copy what the other refuses',
    );
  }
  writeFileSync(outFile, text);
  return readBuild(outFile);
}

type WebpackRule = NonNullable<
  NonNullable<Parameters<NonNullable<BundleOptions['webpackConfigHook']>>[0]['module']>['rules']
>[number];

/** The SDK contains sources compiled for Node 8: private fields as maps, and spreads as loops. */
function forThisNode(rule: WebpackRule): WebpackRule {
  if (!rule || rule === '...' || typeof rule.use !== 'object' || !('options' in rule.use)) return rule;
  return {
    ...rule,
    use: { ...rule.use, options: { sourceMap: true, jsc: { target: 'es2024', parser: { syntax: 'typescript' } } } },
  };
}

function withIntrinsics(code: string): string {
  if (!code.includes(opening)) throw new Error('webpack starts a bundle differently than before: `opening` was not found in it');
  return code.replace(opening, `(() => { const { ${intrinsics.split(' ').join(', ')} } = globalThis; // webpackBootstrap`);
}

function noLog(): void {}
