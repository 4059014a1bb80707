import type { Node } from 'acorn';
import { turnFunction, turnsOfAwait } from '../../../core/playbook/turn.ts';
import { childrenOf, isNode } from '../syntax.ts';
import { isBounded } from './linear-patterns.ts';

const loops: ReadonlySet<string> = new Set([
  'ForStatement',
  'ForInStatement',
  'ForOfStatement',
  'WhileStatement',
  'DoWhileStatement',
]);
const functions: ReadonlySet<string> = new Set(['FunctionDeclaration', 'FunctionExpression', 'ArrowFunctionExpression']);

/**
 * Makes each loop and each function report its turns, with its place: code that never waits cannot otherwise be ended without ending the whole thread, again at
 * each replay. Code without a place is left as it is.
 *
 * @throws Error naming a regular expression that no turn ends and that may run for too long.
 */
export function withTurns(code: string, program: Node, placeOf: (node: Node) => string | undefined): string {
  const insertions: { readonly at: number; readonly text: string }[] = [];
  const see = (node: Node): void => {
    const refused = unboundedPattern(node);
    const where = refused && placeOf(node);
    if (where !== undefined) throw new Error(`${where}: ${refused}`);
    const body = bodyOf(node);
    const place = body && placeOf(node);
    if (body && place !== undefined) {
      // Modules may run a loop before the engine exists.
      const call = `globalThis.${turnFunction}?.(${JSON.stringify(place)},${awaits(node) ? turnsOfAwait : 1})`;
      if (body.type === 'BlockStatement') insertions.push({ at: body.start + 1, text: `${call};` });
      else if (loops.has(node.type)) insertions.push({ at: body.start, text: `{${call};` }, { at: body.end, text: '}' });
      else insertions.push({ at: body.start, text: `(${call},` }, { at: body.end, text: ')' });
    }
    for (const child of childrenOf(node)) see(child);
  };
  see(program);
  return inserted(code, insertions);
}

/** Orders insertions that share one place: the innermost is closed first, because it was opened last. */
function inserted(code: string, insertions: readonly { readonly at: number; readonly text: string }[]): string {
  const inOrder = insertions.map((insertion, order) => ({ ...insertion, order })).sort((a, b) => a.at - b.at || compare(a, b));
  let result = '';
  let done = 0;
  for (const { at, text } of inOrder) {
    result += code.slice(done, at) + text;
    done = at;
  }
  return result + code.slice(done);
}

function compare(
  a: { readonly text: string; readonly order: number },
  b: { readonly text: string; readonly order: number },
): number {
  const closes = ({ text }: { readonly text: string }) => text === '}' || text === ')';
  if (closes(a) !== closes(b)) return closes(a) ? -1 : 1;
  return closes(a) ? b.order - a.order : a.order - b.order;
}

function bodyOf(node: Node): Node | undefined {
  if (!loops.has(node.type) && !functions.has(node.type)) return undefined;
  return 'body' in node && isNode(node.body) ? node.body : undefined;
}

/** Returns why a regular expression might never return: its call is one turn, however long it takes. */
function unboundedPattern(node: Node): string | undefined {
  const callee = 'callee' in node ? node.callee : undefined;
  if (isNode(callee) && 'name' in callee && callee.name === 'RegExp')
    return 'write the regular expression as a literal, so that it can be checked';
  const regex = 'regex' in node ? node.regex : undefined;
  if (!isPattern(regex) || isBounded(regex)) return undefined;
  const { pattern, flags } = regex;
  return `/${pattern}/${flags} may run forever: what repeats must have no flag i, u, v or d, no look-ahead, no back-reference and no count above 16`;
}

function isPattern(value: unknown): value is { readonly pattern: string; readonly flags: string } {
  return (
    typeof value === 'object' &&
    value !== null &&
    'pattern' in value &&
    typeof value.pattern === 'string' &&
    'flags' in value &&
    typeof value.flags === 'string'
  );
}

/** An async function, or a loop in one that awaits: each turn creates promises, whose origin the sandbox remembers. */
function awaits(node: Node): boolean {
  if (functions.has(node.type)) return 'async' in node && node.async === true;
  const inside = (part: Node): boolean =>
    part.type === 'AwaitExpression' || (!functions.has(part.type) && childrenOf(part).some(inside));
  return inside(node);
}
