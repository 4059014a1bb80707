import type { Node } from 'acorn';
import { childrenOf, isNode, nameOf } from './syntax.ts';

/** The names that a part of the code declares, and the part around it. */
interface Scope {
  readonly names: ReadonlySet<string>;
  readonly outer?: Scope;
}

/** Returns the names in a module that refer to nothing which the module declares where they are: what it takes from its surroundings. */
export function freeNames(program: Node): ReadonlySet<Node> {
  const free = new Set<Node>();
  look(program, undefined, free);
  return free;
}

function look(node: Node, outer: Scope | undefined, free: Set<Node>): void {
  if (node.type === 'Identifier') {
    if (!isDeclared(nameOf(node) ?? '', outer)) free.add(node);
    return;
  }
  if (isFunction(node)) {
    lookInFunction(node, outer, free);
    return;
  }
  const names = namesIn(node);
  const scope = names.length > 0 ? { names: new Set(names), ...(outer && { outer }) } : outer;
  for (const child of referring(node)) look(child, scope, free);
}

/** Parameters do not see what the body declares. */
function lookInFunction(node: Node, outer: Scope | undefined, free: Set<Node>): void {
  const own = node.type === 'FunctionExpression' ? patternNames(partOf(node, 'id')) : [];
  const params = partsOf(node, 'params');
  const special = node.type === 'ArrowFunctionExpression' ? [] : ['arguments'];
  const around: Scope = { names: new Set([...own, ...special, ...params.flatMap(patternNames)]), ...(outer && { outer }) };
  for (const param of params) look(param, around, free);
  const body = partOf(node, 'body');
  if (body) look(body, { names: new Set(hoisted(body)), outer: around }, free);
}

function isDeclared(name: string, scope: Scope | undefined): boolean {
  for (let at = scope; at; at = at.outer) if (at.names.has(name)) return true;
  return false;
}

/** Names that are visible in this node and not around it. */
function namesIn(node: Node): readonly string[] {
  switch (node.type) {
    case 'Program':
      return [...partsOf(node, 'body').flatMap(lexical), ...hoisted(node)];
    case 'StaticBlock':
      return [...partsOf(node, 'body').flatMap(lexical), ...partsOf(node, 'body').flatMap(hoisted)];
    case 'BlockStatement':
      return partsOf(node, 'body').flatMap(lexical);
    case 'SwitchStatement':
      return partsOf(node, 'cases').flatMap((one) => partsOf(one, 'consequent').flatMap(lexical));
    case 'ForStatement':
      return lexical(partOf(node, 'init'));
    case 'ForInStatement':
    case 'ForOfStatement':
      return lexical(partOf(node, 'left'));
    case 'CatchClause':
      return patternNames(partOf(node, 'param'));
    case 'ClassDeclaration':
    case 'ClassExpression':
      return patternNames(partOf(node, 'id'));
    default:
      return [];
  }
}

/** What a statement declares in the block that contains it. */
function lexical(statement: Node | undefined): readonly string[] {
  switch (statement?.type) {
    case 'VariableDeclaration':
      return isVar(statement) ? [] : declared(statement);
    case 'FunctionDeclaration':
    case 'ClassDeclaration':
      return patternNames(partOf(statement, 'id'));
    case 'ImportDeclaration':
      return partsOf(statement, 'specifiers').flatMap((one) => patternNames(partOf(one, 'local')));
    case 'ExportNamedDeclaration':
    case 'ExportDefaultDeclaration':
      return lexical(partOf(statement, 'declaration'));
    case 'LabeledStatement':
      return lexical(partOf(statement, 'body'));
    default:
      return [];
  }
}

/** What `var` declares anywhere in it, but in functions and static blocks, which keep theirs. */
function hoisted(node: Node): readonly string[] {
  if (isFunction(node) || node.type === 'StaticBlock') return [];
  const own = node.type === 'VariableDeclaration' && isVar(node) ? declared(node) : [];
  return [...own, ...childrenOf(node).flatMap(hoisted)];
}

function isVar(node: Node): boolean {
  return 'kind' in node && node.kind === 'var';
}

function declared(declaration: Node): readonly string[] {
  return partsOf(declaration, 'declarations').flatMap((one) => patternNames(partOf(one, 'id')));
}

/** The children of a node but those that only name something: a key, a property, a label, an import or an export. */
function referring(node: Node): readonly Node[] {
  const isPlain = !('computed' in node && node.computed === true);
  const skipped: unknown[] = [
    partOf(node, 'label'),
    partOf(node, 'meta'),
    partOf(node, 'imported'),
    partOf(node, 'exported'),
    ...(isPlain ? [partOf(node, 'key')] : []),
    ...(isPlain || node.type === 'MetaProperty' ? [partOf(node, 'property')] : []),
    // `export { name } from` names something of the other module.
    ...(node.type === 'ExportNamedDeclaration' && partOf(node, 'source') ? partsOf(node, 'specifiers') : []),
  ];
  return childrenOf(node).filter((child) => !skipped.includes(child));
}

function isFunction({ type }: Node): boolean {
  return /^(Function(Declaration|Expression)|ArrowFunctionExpression)$/.test(type);
}

/** The names that a pattern binds; not what its defaults and computed keys refer to. */
function patternNames(pattern: Node | undefined): readonly string[] {
  switch (pattern?.type) {
    case 'Identifier':
      return [nameOf(pattern) ?? ''];
    case 'Property':
      return patternNames(partOf(pattern, 'value'));
    case 'AssignmentPattern':
      return patternNames(partOf(pattern, 'left'));
    case 'RestElement':
      return patternNames(partOf(pattern, 'argument'));
    case 'ArrayPattern':
      return partsOf(pattern, 'elements').flatMap(patternNames);
    case 'ObjectPattern':
      return partsOf(pattern, 'properties').flatMap(patternNames);
    default:
      return [];
  }
}

function partOf(node: Node, name: string): Node | undefined {
  const part: unknown = Object.entries(node).find(([key]) => key === name)?.[1];
  return isNode(part) ? part : undefined;
}

function partsOf(node: Node, name: string): readonly Node[] {
  const part: unknown = Object.entries(node).find(([key]) => key === name)?.[1];
  return Array.isArray(part) ? part.filter(isNode) : [];
}
