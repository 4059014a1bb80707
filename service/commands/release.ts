import type { Command } from 'commander';
import type { UndoResult } from '../../core/action/action.ts';
import { FirebreakError } from '../../core/errors.ts';
import { createKubernetesApi } from '../../integrations/kubernetes/client.ts';
import { accessFromKubeconfig } from '../../integrations/kubernetes/kubeconfig.ts';
import type { Containment } from '../offline/containment.ts';
import { findContainments } from '../offline/containments.ts';
import { readRandomKey } from '../process/keys/key-files.ts';
import { type ConfirmOptions, confirm, withConfirmation } from './confirm.ts';
import { withJson } from './options.ts';
import { print, printable, printJson, styled } from './output.ts';

interface ReleaseOptions extends ConfirmOptions {
  readonly offline?: true;
  readonly kubeconfig?: string;
  readonly context?: string;
  readonly cellKey?: string;
  readonly namespace?: string;
  readonly dryRun?: true;
  readonly force?: true;
  readonly json?: true;
}

/** `firebreak release --offline`: the way out when Firebreak or Temporal itself is the incident. It needs only a kubeconfig. */
export function registerReleaseCommand(program: Command): void {
  withJson(withConfirmation(program.command('release')))
    .description('list and undo containments with nothing but a kubeconfig')
    .argument('[targets...]', 'only these: pods as namespace/name, others as kind/namespace/name (default: all)')
    .option(
      '--offline',
      'required: works without Firebreak, Temporal and the database; if they are running, use `firebreak lease release`',
    )
    .option('--kubeconfig <file>', 'an administrator’s kubeconfig')
    .option('--context <name>', 'the context to use, instead of the current one')
    .option('--cell-key <file>', 'the cell’s key: without it, the notes on the pods cannot be authenticated')
    .option('-n, --namespace <name>', 'only this namespace; its pods can then be given by name alone')
    .option('--dry-run', 'show what would change, without changing it')
    .option('--force', 'restore labels even if the pod has changed since; check the difference first')
    .addHelpText(
      'after',
      '\nExamples:\n  $ firebreak release --offline --kubeconfig admin.kubeconfig --dry-run\n  $ firebreak release --offline --kubeconfig admin.kubeconfig --cell-key cell.key shop/cart-5d4c9b7f6-x2x7k\n  $ firebreak release --offline --kubeconfig admin.kubeconfig --cell-key cell.key --namespace shop --target shop --yes',
    )
    .action(async (targets: readonly string[], options: ReleaseOptions) => {
      process.exitCode = await release(targets, options);
    });
}

async function release(targets: readonly string[], options: ReleaseOptions): Promise<number> {
  const { kubeconfig, context, namespace, json = false, force = false } = options;
  if (!options.offline)
    throw new FirebreakError('FB_ERR_INCOMPLETE', 'add --offline. While Firebreak is running, use `firebreak lease release`');
  if (!kubeconfig) throw new FirebreakError('FB_ERR_INCOMPLETE', 'add --kubeconfig FILE: the cluster is never guessed');
  const cellKey = options.cellKey ? await readRandomKey(options.cellKey) : undefined;
  const api = createKubernetesApi({ access: await accessFromKubeconfig({ file: kubeconfig, ...(context && { context }) }) });
  try {
    const all = await findContainments({ api, cellKey, ...(namespace && { namespace }) });
    const chosen = all.filter(
      ({ target }) => targets.length === 0 || targets.some((wanted) => isNamed(target, wanted, namespace)),
    );
    const unknown = targets.filter((wanted) => !chosen.some(({ target }) => isNamed(target, wanted, namespace)));
    if (unknown.length > 0) throw new FirebreakError('FB_ERR_NOT_FOUND', `not contained: ${unknown.join(', ')}`);
    if (!json) show(chosen, api.server, options);
    const go = !options.dryRun && chosen.length > 0;
    if (go) await confirm({ lines: [lineOf(chosen, api.server)], ends: endsOf(targets, options, api.server) }, options);
    const results = go ? await undo(chosen, { force, json }) : [];
    if (json) printJson({ server: api.server, containments: chosen.map(asJson), results });
    return results.some(({ state }) => state === 'drifted' || state === 'failed') ? 1 : 0;
  } finally {
    api.close();
  }
}

/** `shop/cart-1` names the pod; so does `cart-1` with a separate namespace, as in kubectl. */
function isNamed(target: string, wanted: string, namespace: string | undefined): boolean {
  if (namespace !== undefined && !wanted.includes('/')) return target === `pod/${namespace}/${wanted}`;
  return target === wanted || target === `pod/${wanted}`;
}

type Released = { readonly target: string } & (UndoResult | { readonly state: 'failed'; readonly detail: string });

/** Runs through all of them, one at a time: one that cannot be released does not block the others. */
async function undo(
  chosen: readonly Containment[],
  { force, json }: { readonly force: boolean; readonly json: boolean },
): Promise<readonly Released[]> {
  const results: Released[] = [];
  for (const containment of chosen) {
    const result = await containment.release(force).catch((error: unknown) => ({
      state: 'failed' as const,
      detail: error instanceof FirebreakError ? error.detail : 'an unexpected fault',
    }));
    results.push({ target: containment.target, ...result });
    if (!json) {
      print(`${styled(result.state === 'undone' ? 'green' : 'yellow', result.state)}  ${printable(result.detail)}`);
      if (result.state === 'drifted') for (const line of result.difference) print(`  ! ${printable(line)}`);
    }
  }
  return results;
}

function show(containments: readonly Containment[], server: string, { cellKey, force }: ReleaseOptions): void {
  if (containments.length === 0) {
    print(`Nothing is contained at ${server}.`);
    return;
  }
  print(`${containments.length} contained at ${server}:`);
  if (!cellKey) print(styled('yellow', 'No --cell-key: the notes on the objects are shown as they are, not authenticated.'));
  for (const { target, action, incident, state, authentic, difference, changes, elsewhere } of containments) {
    const word = { yes: 'authentic', no: 'NOT AUTHENTIC', unknown: 'not authenticated' }[authentic];
    print();
    print(`${styled('bold', printable(target))}  ${action}  ${word}  ${printable(incident ?? 'no incident named')}`);
    for (const line of changes) print(`  ${styled(line.startsWith('+') ? 'green' : 'red', printable(line))}`);
    for (const line of difference) print(`  ! ${printable(line)}`);
    if (elsewhere !== undefined) print(styled('yellow', `  not from here: ${elsewhere}`));
    if (state === 'drifted') print(force ? '  drifted: released anyway, with --force' : '  drifted: refused without --force');
  }
  print();
}

function lineOf(chosen: readonly Containment[], server: string): string {
  return `Release ${chosen.length === 1 ? (chosen[0]?.target ?? '') : `these ${chosen.length}`} at ${server}`;
}

/** The name of what is released: a single target, otherwise a namespace, otherwise the whole API server. */
function endsOf(targets: readonly string[], { namespace }: ReleaseOptions, server: string): string {
  const [only, ...others] = targets;
  return only !== undefined && others.length === 0 ? only : (namespace ?? server.replace(/\/$/, ''));
}

function asJson({ release: _, incident, ...containment }: Containment) {
  return { ...containment, incident: incident ?? null };
}
