import { stripTypeScriptTypes } from 'node:module';
import type { Node } from 'acorn';

/** Returns the child nodes of a parsed piece of code. */
export function childrenOf(node: Node): readonly Node[] {
  return Object.values(node).flatMap((value: unknown) =>
    Array.isArray(value) ? value.filter(isNode) : isNode(value) ? [value] : [],
  );
}

export function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && 'type' in value && typeof value.type === 'string' && 'start' in value;
}

/**
 * Replaces the types in the code by blanks. Suppresses Node's one-time warning that this may change, because whoever checks a pack cannot do anything about it.
 */
export function withoutTypes(source: string): string {
  const { emitWarning } = process;
  process.emitWarning = () => undefined;
  try {
    return stripTypeScriptTypes(source);
  } finally {
    process.emitWarning = emitWarning;
  }
}

/** Visits each node with its parent, from the outside in. */
export function visit(node: Node, see: (node: Node, parent: Node | undefined) => void, parent?: Node): void {
  see(node, parent);
  for (const child of childrenOf(node)) visit(child, see, node);
}

/** Returns the text of a name or a string literal. */
export function nameOf(node: unknown): string | undefined {
  if (!isNode(node)) return undefined;
  if ('name' in node && typeof node.name === 'string') return node.name;
  return 'value' in node && typeof node.value === 'string' ? node.value : undefined;
}

/** Returns a name that is used as a value and not as a property. */
export function freeName(node: Node, parent: Node | undefined): string | undefined {
  if (node.type !== 'Identifier') return undefined;
  if (
    parent?.type === 'MemberExpression' &&
    'property' in parent &&
    parent.property === node &&
    'computed' in parent &&
    !parent.computed
  )
    return undefined;
  const isKey = parent !== undefined && 'key' in parent && parent.key === node && 'computed' in parent && !parent.computed;
  const isShorthand = parent !== undefined && 'shorthand' in parent && parent.shorthand === true;
  return isKey && !isShorthand ? undefined : nameOf(node);
}
