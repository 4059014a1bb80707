import { type Node, parse } from 'acorn';
import { freeName, isNode, nameOf, visit, withoutTypes } from './syntax.ts';

/** A value that is not used; the compiler decides whether it is a promise. */
export interface Unwaited {
  readonly line: number;
  /** Column of the mark, in the marked code; from 1. */
  readonly column: number;
  /** The beginning of the author's code. */
  readonly text: string;
  /** Name of a constant that is used nowhere else. */
  readonly name?: string;
  /** True if it is a fault whatever its type. */
  readonly isSurely?: true;
}

/** Function whose call is wrapped around each such value. */
export const mark = 'firebreakAwaited';

/** Code with a mark around each unused value, each on its original line. */
export interface MarkedCode {
  readonly code: string;
  readonly places: readonly Unwaited[];
}

interface Value extends Pick<Unwaited, 'name' | 'isSurely'> {
  readonly start: number;
  readonly end: number;
}

/** Code that cannot be parsed gets no marks: the earlier checks of the pack have already reported it. */
export function promisePlaces(source: string, isTyped: boolean): MarkedCode {
  let program: Node;
  try {
    // Types are replaced by blanks, so that every position stays as in the source.
    program = parse(isTyped ? withoutTypes(source) : source, { ecmaVersion: 'latest', sourceType: 'module' });
  } catch {
    return { code: source, places: [] };
  }
  const values = valuesIn(program, source);
  const edits = values
    .filter(({ isSurely }) => !isSurely)
    .flatMap((value) => [
      { at: value.start, text: `${mark}(`, order: -value.end, value },
      { at: value.end, text: ')', order: -value.start },
    ])
    .toSorted((a, b) => a.at - b.at || a.order - b.order);
  const placeOf = (text: string) => ({ line: text.split('\n').length, column: text.length - text.lastIndexOf('\n') });
  const told = ({ start, end, name, isSurely }: Value) => ({
    text: beginning(source.slice(start, end)),
    ...(name !== undefined && { name }),
    ...(isSurely && { isSurely }),
  });
  const places: Unwaited[] = values
    .filter(({ isSurely }) => isSurely)
    .map((value) => ({ ...placeOf(source.slice(0, value.start)), ...told(value) }));
  let code = '';
  let from = 0;
  for (const { at, text, ...edit } of edits) {
    code += source.slice(from, at);
    if ('value' in edit) places.push({ ...placeOf(code), ...told(edit.value) });
    code += text;
    from = at;
  }
  return { code: code + source.slice(from), places };
}

function valuesIn(program: Node, source: string): readonly Value[] {
  const names = new Map<string, number>();
  visit(program, (node, parent) => {
    const name = freeName(node, parent);
    if (name !== undefined) names.set(name, (names.get(name) ?? 0) + 1);
  });
  const values: Value[] = [];
  visit(program, (node) => {
    const { start, end } = node;
    if (node.type === 'ExpressionStatement' && !('directive' in node) && 'expression' in node && isNode(node.expression)) {
      if (node.expression.type === 'AssignmentExpression' || isVoid(node.expression)) return;
      values.push({ start, end: /;\s*$/.test(source.slice(start, end)) ? source.lastIndexOf(';', end - 1) : end });
    }
    if (node.type === 'VariableDeclarator' && 'init' in node && isNode(node.init) && 'id' in node && isNode(node.id)) {
      const name = node.id.type === 'Identifier' ? nameOf(node.id) : undefined;
      // Used nowhere else in the file.
      if (name !== undefined && names.get(name) === 1) values.push({ start: node.init.start, end, name });
    }
    const turn = turnOf(node);
    if (turn && 'async' in turn && turn.async === true) values.push({ start, end: turn.start, isSurely: true });
    else if (turn && 'body' in turn && isNode(turn.body) && turn.body.type !== 'BlockStatement')
      values.push({ start: turn.body.start, end: turn.body.end });
  });
  return values;
}

function isVoid(node: Node): boolean {
  return node.type === 'UnaryExpression' && 'operator' in node && node.operator === 'void';
}

/** The function passed to a call of `forEach`, whose return value is ignored. */
function turnOf(node: Node): Node | undefined {
  if (node.type !== 'CallExpression' || !('callee' in node) || !isNode(node.callee) || !('arguments' in node)) return undefined;
  const { callee } = node;
  if (callee.type !== 'MemberExpression' || !('property' in callee) || !isNode(callee.property)) return undefined;
  if (nameOf(callee.property) !== 'forEach') return undefined;
  const turn: unknown = Array.isArray(node.arguments) ? node.arguments[0] : undefined;
  return isNode(turn) && /Function/.test(turn.type) ? turn : undefined;
}

const mostShown = 60;

function beginning(text: string): string {
  const line = text.split('\n', 1)[0]?.trim() ?? '';
  return line.length < text.trim().length || line.length > mostShown ? `${line.slice(0, mostShown)}…` : line;
}
