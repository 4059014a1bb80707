/**
 * What a build of the workflows and the program around it exchange, as types. Open incidents continue with the build that started them, under whatever program
 * runs by then: what the last release's workflows send must fit what is expected now, and what they receive now must fit what they expected.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { activityTable, workflowTable } from '../../core/messages/message-table.ts';
import { projectRoot } from '../../service/process/project-root.ts';
import { type FileOf, keyOf, madeOf, type Place, textOf } from './declarations.ts';

const source = 'core/messages/contract.ts';
const releases = join(projectRoot(), 'test', 'fixtures', 'releases');
const contractFile = join(releases, 'last.contract.d.ts');
const acceptedFile = join(releases, 'accepted.json');

/** A change that would break the last release's workflows. */
interface ContractFault {
  /** For example `arguments of planStep`; with the role that owns its queue, unless all roles have it. */
  readonly what: string;
  readonly why: string;
}

/** A fault that somebody has accepted. */
const accepted = z.array(z.strictObject({ change: z.string(), because: z.string().min(10) }));

/** One self-contained file of declarations, without comments. */
export function contractOf(fileOf: FileOf): string {
  const roots = ['ActivitiesByRole', 'SignalsByWorkflow', 'StateByWorkflow', 'HandedOver'].map((name) => ({
    file: source,
    name,
  }));
  const places = [...madeOf(roots, fileOf)].sort((a, b) => (a.name < b.name ? -1 : 1));
  const declared = places.map((place) => declarationOf(place, places, fileOf));
  const fields = (lines: readonly string[]): string => lines.map((line) => `    ${line};\n`).join('');
  const roles = Object.entries(activityTable);
  const isEverywhere = (name: string): boolean => roles.every(([, names]) => names.includes(name));
  const activities = roles.flatMap(([role, names]) =>
    names
      .filter((name) => role === 'cell' || !isEverywhere(name))
      .map((name) => ({
        what: isEverywhere(name) ? name : `${name} (${role})`,
        type: `ActivitiesByRole['${role}']['${name}']`,
      })),
  );
  const workflows = Object.entries(workflowTable);
  return `${[
    ...declared,
    `export interface SaidByWorkflows {\n${fields([
      ...activities.map(({ what, type }) => `'arguments of ${what}': Parameters<${type}>`),
      ...workflows.flatMap(([workflow, { queries }]) =>
        queries.length > 0 ? [`'state of ${workflow}': StateByWorkflow['${workflow}']`] : [],
      ),
      `'input of control': HandedOver['control']`,
    ])}}`,
    `export interface SaidToWorkflows {\n${fields([
      ...activities.map(({ what, type }) => `'result of ${what}': Awaited<ReturnType<${type}>>`),
      ...workflows.flatMap(([workflow, { signals }]) =>
        Object.keys(signals).map((signal) => `'signal ${signal} to ${workflow}': SignalsByWorkflow['${workflow}']['${signal}']`),
      ),
    ])}}`,
  ].join('\n')}\n`;
}

function declarationOf(place: Place, all: readonly Place[], fileOf: FileOf): string {
  const text = textOf(place, fileOf)?.text;
  if (text === undefined) throw new Error(`${source}: ${place.name} of ${place.file} is not a type of this tree`);
  const same = all.find((other) => other.name === place.name && keyOf(other) !== keyOf(place));
  if (same) throw new Error(`${source}: ${place.file} and ${same.file} both have a type ${place.name}: give each its own name`);
  return /^(?:interface|type) /.test(text) ? `export ${text}` : `export declare ${text}`;
}

/** Uses the compiler: what is sent must be assignable to what is expected. */
export function contractFaults({ before, now }: { readonly before: string; readonly now: string }): readonly ContractFault[] {
  const [said, expected] = [namesIn(before, 'SaidByWorkflows'), namesIn(now, 'SaidByWorkflows')];
  const [heard, sent] = [namesIn(before, 'SaidToWorkflows'), namesIn(now, 'SaidToWorkflows')];
  const vanished = [...said].filter((name) => !expected.has(name));
  const compared = [
    ...[...said].filter((name) => expected.has(name)).map((name) => ({ name, of: 'SaidByWorkflows', from: 'before', to: 'now' })),
    ...[...heard].filter((name) => sent.has(name)).map((name) => ({ name, of: 'SaidToWorkflows', from: 'now', to: 'before' })),
  ];
  const lines = compared.map(
    ({ name, of, from, to }, index) =>
      `declare const v${index}: ${from}.${of}['${name}']; export const w${index}: ${to}.${of}['${name}'] = v${index};`,
  );
  const found = compile({
    'before.d.ts': before,
    'now.d.ts': now,
    // The imports are in the first line: a message for line N is about compared[N - 2].
    'check.ts': [`import type * as before from './before.d.ts'; import type * as now from './now.d.ts';`, ...lines].join('\n'),
  });
  return [
    ...vanished.map((what) => ({ what, why: 'it is gone' })),
    ...found.map(({ line, text }) => {
      const one = compared[line - 2];
      if (!one) throw new Error(`the contract with the last release cannot be compared: ${text}`);
      return { what: one.name, why: text };
    }),
  ];
}

function namesIn(contract: string, name: string): ReadonlySet<string> {
  const [, fields = ''] = contract.split(`export interface ${name} {\n`);
  return new Set([...fields.slice(0, fields.indexOf('\n}')).matchAll(/^ {4}'([^']+)'/gm)].map(([, field = '']) => field));
}

function compile(files: Readonly<Record<string, string>>): readonly { readonly line: number; readonly text: string }[] {
  const folder = mkdtempSync(join(tmpdir(), 'firebreak-contract-'));
  try {
    for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
    const compiler = join(projectRoot(), 'node_modules', 'typescript', 'bin', 'tsc');
    const flags = ['--noEmit', '--strict', '--exactOptionalPropertyTypes', '--allowImportingTsExtensions', '--noErrorTruncation'];
    const place = ['--target', 'es2023', '--lib', 'es2024', '--types', '', '--module', 'nodenext', '--pretty', 'false'];
    const { stdout, status } = spawnSync(process.execPath, [compiler, ...flags, ...place, 'check.ts'], {
      cwd: folder,
      encoding: 'utf8',
      maxBuffer: 64 * 1024 * 1024,
    });
    if (status === null) throw new Error('the compiler did not end');
    return faultsIn(stdout);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The last line of each message, which names the exact field. */
function faultsIn(output: string): readonly { readonly line: number; readonly text: string }[] {
  const faults: { line: number; text: string }[] = [];
  for (const one of output.split('\n')) {
    const first = /^\S+\((\d+),\d+\): error \w+: (.*)$/.exec(one);
    if (first) faults.push({ line: first[0].startsWith('check.ts') ? Number(first[1]) : 0, text: first[2] ?? '' });
    else if (one.startsWith(' ') && faults.length > 0) (faults.at(-1) ?? { text: '' }).text = one.trim();
  }
  return faults;
}

/** What is wrong with this tree, one sentence each. `now`: its contract. */
export function contractProblems(now: string): readonly string[] {
  const faults = contractFaults({ before: readFileSync(contractFile, 'utf8'), now });
  const agreed = accepted.parse(JSON.parse(readFileSync(acceptedFile, 'utf8')));
  return problemsOf(faults, agreed);
}

/** @param agreed faults that are accepted on purpose. */
export function problemsOf(faults: readonly ContractFault[], agreed: z.infer<typeof accepted>): readonly string[] {
  const path = 'test/fixtures/releases/accepted.json';
  return [
    ...faults
      .filter(({ what }) => !agreed.some(({ change }) => change === what))
      .map(
        ({ what, why }) =>
          `${what}: workflows of the last release, which open incidents still run, would break: ${why}. ${remedyFor(what)}, or, if such incidents may fail, say so in ${path}: { "change": "${what}", "because": "…" }`,
      ),
    ...agreed
      .filter(({ change }) => !faults.some(({ what }) => what === change))
      .map(({ change }) => `${path}: ${change} is accepted, but is not a fault (any more): remove it`),
  ];
}

function remedyFor(what: string): string {
  if (what.startsWith('result')) return 'Keep returning what they expect';
  if (what.startsWith('signal')) return 'Keep sending what they expect';
  return 'Keep accepting what they send: keep its name, and make what is new optional';
}

/** Replaces the last release's contract with that of this tree; clears the accepted faults. */
export function keepContract(now: string): void {
  writeFileSync(contractFile, now);
  writeFileSync(acceptedFile, '[]\n');
}
