/**
 * Measures how much the tests of the shipped playbooks notice. `node test/playbooks/mutate.ts [WORD]` changes one thing of a playbook or fragment at a time
 * (drops a step, swaps a choice, inverts a condition), checks whether the outcome of each answer is still as agreed, and reports the changes that nobody would
 * notice. When a file is done, writes its result to `test/fixtures/mutation-scores.json`. Not a part of `npm test`: it takes minutes.
 */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { registerHooks } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseSync } from '@swc/core';
import { answering } from '../../core/playbook/answering.ts';
import type { ListedPlaybook } from '../../core/playbook/pack.ts';
import { policyAlerts, waysInto } from './shipped-alerts.ts';
import { answersOf } from './shipped-answers.ts';

interface Mutant {
  readonly file: string;
  readonly what: string;
  readonly source: string;
}

interface Node {
  readonly type: string;
  readonly span?: { readonly start: number; readonly end: number };
}

const root = join(import.meta.dirname, '..', '..');
const folder = join(root, 'playbooks');
const agreed: Readonly<Record<string, readonly (readonly string[])[]>> = JSON.parse(
  readFileSync(join(root, 'test', 'fixtures', 'shipped-answers.json'), 'utf8'),
);

function isNode(value: unknown): value is Node & Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && 'type' in value && typeof value.type === 'string';
}

/** Returns every change of one file, each on its own. Positions are in bytes. */
function mutantsOf(file: string): readonly Mutant[] {
  const bytes = readFileSync(file);
  const parsed = parseSync(bytes.toString(), { syntax: 'typescript' });
  // The parser's positions continue from file to file.
  const base = parsed.span.start - bytes.toString().search(/\S/);
  const mutants: Mutant[] = [];
  const at = ({ span }: Node): readonly [number, number] => [(span?.start ?? 0) - base, (span?.end ?? 0) - base];
  const text = (node: Node): string => bytes.subarray(...at(node)).toString();
  const replace = (node: Node, by: string, what: string): void => {
    const [start, end] = at(node);
    const line = bytes.subarray(0, start).toString().split('\n').length;
    const source = Buffer.concat([bytes.subarray(0, start), Buffer.from(by), bytes.subarray(end)]).toString();
    mutants.push({ file, source, what: `line ${line}: ${what}: ${text(node).replaceAll(/\s+/g, ' ').slice(0, 70)}` });
  };
  const visit = (node: unknown, isBody: boolean): void => {
    if (Array.isArray(node)) {
      for (const one of node) visit(one, isBody);
      return;
    }
    if (typeof node !== 'object' || node === null) return;
    if (isNode(node)) {
      const inBody = isBody || /Function|Arrow/.test(node.type);
      if (inBody) mutate(node);
      for (const value of Object.values(node)) visit(value, inBody);
      return;
    }
    for (const value of Object.values(node)) visit(value, isBody);
  };
  const mutate = (node: Node & Readonly<Record<string, unknown>>): void => {
    const { test, consequent, alternate, callee, left, right, operator, arguments: args } = node;
    if (node.type === 'ExpressionStatement' && /steps\.|verdict\(|fileTicket|askTo|askAbout|skip\(|await/.test(text(node)))
      replace(node, ';', 'step dropped');
    if (node.type === 'IfStatement' && isNode(test)) replace(test, `!(${text(test)})`, 'condition inverted');
    if (node.type === 'ConditionalExpression' && isNode(test) && isNode(consequent) && isNode(alternate))
      replace(test, `!(${text(test)})`, 'condition inverted');
    if (node.type === 'CallExpression' && isNode(callee) && text(callee) === 'settle' && Array.isArray(args)) {
      const [{ expression } = { expression: undefined }] = args as { readonly expression: unknown }[];
      const parts: unknown = isNode(expression) ? expression.properties : undefined;
      if (Array.isArray(parts)) for (const part of parts) if (isNode(part)) dropPart(part);
    }
    if (
      node.type === 'KeyValueProperty' &&
      isNode(node.key) &&
      ['choices', 'plan'].includes(text(node.key)) &&
      isNode(node.value)
    ) {
      const inner: unknown = node.value.properties;
      if (Array.isArray(inner))
        swap(
          inner.filter(isNode).filter(({ type }) => type === 'KeyValueProperty'),
          text(node.key),
        );
    }
    if (node.type === 'BinaryExpression' && operator === '===' && isNode(left) && isNode(right) && right.type === 'StringLiteral')
      replace(right, "'another'", 'choice changed');
  };
  const dropPart = (part: Node & Readonly<Record<string, unknown>>): void => {
    // Later code may look at the step, which has then failed.
    if (part.type === 'KeyValueProperty' && isNode(part.value))
      replace(part.value, "Promise.reject(new Error('dropped'))", 'step dropped');
  };
  const swap = (pairs: readonly (Node & Readonly<Record<string, unknown>>)[], what: string): void => {
    const [first, second] = pairs;
    if (!first || !second || !isNode(first.value) || !isNode(second.value)) return;
    // Nobody could notice this change.
    if (text(first.value) === text(second.value)) return;
    const [a, b] = [at(first.value), at(second.value)];
    const line = bytes.subarray(0, a[0]).toString().split('\n').length;
    const source = Buffer.concat([
      bytes.subarray(0, a[0]),
      bytes.subarray(...b),
      bytes.subarray(a[1], b[0]),
      bytes.subarray(...a),
      bytes.subarray(b[1]),
    ]).toString();
    mutants.push({ file, source, what: `line ${line}: first two of ${what} swapped` });
  };
  visit(parsed.body, false);
  return mutants;
}

/** The change that is loaded: playbooks and fragments are loaded again for each. */
let now: { readonly mutant: Mutant; readonly number: number } | undefined;
registerHooks({
  resolve(specifier, context, next) {
    const found = next(specifier, context);
    const [plain = ''] = found.url.split('?');
    if (!now || !plain.startsWith(pathToFileURL(folder).href)) return found;
    return { ...found, url: `${plain}?mutant=${now.number}` };
  },
  load(url, context, next) {
    const [plain = '', query] = url.split('?');
    if (!now || query === undefined || fileURLToPath(plain) !== now.mutant.file) return next(url, context);
    return { format: 'module-typescript', source: now.mutant.source, shortCircuit: true };
  },
});

async function loaded(file: string, number: number): Promise<ListedPlaybook> {
  const module: Record<string, unknown> = await import(`${pathToFileURL(file).href}?mutant=${number}`);
  const [playbook] = Object.values(module);
  const made = playbook as ListedPlaybook;
  return { ...made, id: `firebreak/${made.id}` };
}

/** Playbook files, by name. */
const files = new Map(
  readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts') && !file.endsWith('index.ts') && !file.startsWith('fragments'))
    .map((file) => [file.split('/').at(-1)?.replace('.ts', '') ?? file, join(folder, file)] as const),
);

function usesFragment(file: string, fragment: string): boolean {
  const name = fragment.split('/').at(-1) ?? fragment;
  return readFileSync(file, 'utf8').includes(`fragments/${name}`);
}

/** As `shipped.test.ts` requires of all of them together: a playbook for everything that is unanswered takes these alerts, too. */
function answersAnother(name: string, playbook: ListedPlaybook): boolean {
  if (playbook.on.match === 'unanswered') return false;
  return policyAlerts.some(([owner, alert]) => answering([playbook], alert).length > 0 !== (owner === name));
}

async function isNoticed(mutant: Mutant, number: number): Promise<boolean> {
  now = { mutant, number };
  const touched = [...files].filter(([, file]) => file === mutant.file || usesFragment(file, mutant.file));
  // Those of most kinds first: a fragment is used by many.
  for (const [name, file] of touched.slice(0, 8)) {
    try {
      const playbook = await loaded(file, number);
      if (answersAnother(name, playbook)) return true;
      for (const [at, alert] of (waysInto[name] ?? []).entries()) {
        const { problems, lines } = await answersOf(playbook, alert);
        if (problems.length > 0 || JSON.stringify(lines) !== JSON.stringify(agreed[name]?.[at])) return true;
      }
    } catch {
      return true;
    }
  }
  return false;
}

const word = process.argv[2] ?? '';
const tried = [...Object.keys(waysInto)].flatMap((name) => files.get(name) ?? []);
const fragments = readdirSync(join(folder, 'fragments')).map((file) => join(folder, 'fragments', file));
const scoresFile = join(root, 'test', 'fixtures', 'mutation-scores.json');

/** Written again after each file: a run that is interrupted still has the earlier ones. */
function writeScore(file: string, score: { readonly noticed: number; readonly of: number }): void {
  const scores: Record<string, object> = JSON.parse(readFileSync(scoresFile, 'utf8'));
  const sha256 = createHash('sha256').update(readFileSync(file)).digest('hex').slice(0, 16);
  const at = new Date().toISOString().slice(0, 10);
  const all = { ...scores, [file.slice(root.length + 1)]: { ...score, at, sha256 } };
  const sorted = Object.fromEntries(Object.entries(all).sort(([left], [right]) => (left < right ? -1 : 1)));
  writeFileSync(scoresFile, `${JSON.stringify(sorted, null, 2)}\n`);
}

const asked = [...tried, ...fragments].filter((file) => file.includes(word));
let [noticed, number] = [0, 0];
for (const [at, file] of asked.entries()) {
  if (await isNoticed({ file, what: 'nothing', source: readFileSync(file, 'utf8') }, -1 - at))
    throw new Error(`${file} does not come to what is agreed: record the answers first`);
  const mutants = mutantsOf(file);
  const before = noticed;
  for (const mutant of mutants) {
    number += 1;
    if (await isNoticed(mutant, number)) noticed += 1;
    else process.stdout.write(`not noticed: ${mutant.file.slice(root.length + 1)}, ${mutant.what}\n`);
  }
  const score = { noticed: noticed - before, of: mutants.length };
  process.stdout.write(`${file.slice(root.length + 1)}: ${score.noticed} of ${score.of}\n`);
  writeScore(file, score);
}
process.stdout.write(`${noticed} of ${number} changes are noticed: ${Math.floor((100 * noticed) / Math.max(1, number))} %\n`);
