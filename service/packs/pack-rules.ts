import { posix } from 'node:path';
import { type Node, parse } from 'acorn';
import { systemErrorCode } from '../../core/system-error.ts';
import { implementations, type PackFiles } from './pack-files.ts';
import { freeNames } from './scopes.ts';
import { isNode, nameOf, visit, withoutTypes } from './syntax.ts';

/** A fault that an author has to fix before the pack is built. */
export interface PackFault {
  /** Path in the pack. */
  readonly file: string;
  readonly line: number;
  /** What is wrong. */
  readonly problem: string;
  /** What to do. */
  readonly remedy: string;
}

/** What a pack may import besides its own files. */
export const packImports = ['firebreak/playbook', 'firebreak/actions'] as const;

/**
 * Modules of Node that the implementation of an action may use: those that only compute. `http` and `log`, which it is called with, are its way to the world.
 */
export const implementationModules: ReadonlySet<string> = new Set(
  'assert assert/strict buffer crypto events path path/posix querystring stream stream/promises string_decoder timers timers/promises url util util/types zlib'.split(
    ' ',
  ),
);

interface Refused {
  readonly problem: string;
  readonly remedy: string;
}

const throughActions = 'A playbook reaches nothing but what its actions do: use an action, or define one (defineAction).';

const throughBody = 'Use what the body is called with.';

/** Names that a playbook does not need, or whose values would differ when Temporal replays its history. */
const globals: Readonly<Record<string, Refused>> = {
  fetch: { problem: 'fetch reaches the network', remedy: throughActions },
  process: {
    problem: 'process depends on the machine',
    remedy: 'What may differ from one installation to the next is a parameter: params: { limit: param.number(5) }.',
  },
  require: { problem: 'require loads code at run time', remedy: 'Write an import at the head of the file.' },
  eval: { problem: 'eval runs what nobody has reviewed', remedy: 'Write the code out.' },
  Function: { problem: 'Function makes code that nobody has reviewed', remedy: 'Write the code out.' },
  globalThis: { problem: 'globalThis reaches what a playbook must not', remedy: throughBody },
  setTimeout: { problem: 'setTimeout is lost when a worker restarts', remedy: 'Wait with what the body is called with.' },
  setInterval: { problem: 'setInterval is lost when a worker restarts', remedy: 'Wait with what the body is called with.' },
  WebAssembly: { problem: 'WebAssembly runs what nobody has reviewed', remedy: 'Write the code out.' },
};

/** What Node has besides the language; not all that the language itself has is good for a playbook either: see `globals`. */
const ofNode: ReadonlySet<string> = new Set(
  [
    'global Buffer Blob File FormData Headers Request Response WebSocket EventSource XMLHttpRequest CloseEvent Worker BroadcastChannel MessageChannel',
    'MessagePort MessageEvent navigator Navigator localStorage sessionStorage Storage setImmediate clearImmediate queueMicrotask performance',
    'PerformanceObserver crypto Crypto CryptoKey SubtleCrypto module exports self window',
    'URL URLSearchParams AbortController AbortSignal TextDecoder assert',
  ].flatMap((names) => names.split(' ')),
);

/** Members of names, such as `Date.now`. */
const members: Readonly<Record<string, Refused>> = {
  'Date.now': {
    problem: 'Date.now reads the clock, which differs at each replay',
    remedy: 'Use alert.time, which is when it happened.',
  },
  'Math.random': {
    problem: 'Math.random is a different number at each replay',
    remedy: 'Choose by what the alert says, for example by alert.id.',
  },
};

/** Returns everything in the code of a pack that playbooks may not use, with its place. */
export function packFaults({ files }: PackFiles): readonly PackFault[] {
  return [...files].flatMap(([file, content]) => faultsIn(file, content.toString('utf8'), files));
}

function faultsIn(file: string, source: string, files: PackFiles['files']): readonly PackFault[] {
  const read = parsed(file, source);
  if ('fault' in read) return [read.fault];
  const faults: PackFault[] = [];
  const free = freeNames(read.program);
  const isFree = (node: unknown): boolean => isNode(node) && free.has(node);
  const add = (node: Node, refused: Refused): void => {
    faults.push({ file, line: node.loc?.start.line ?? 1, ...refused });
  };
  const inFunctions = new Set<Node>();
  visit(read.program, (node, parent) => {
    if (parent && (inFunctions.has(parent) || isFunction(parent))) inFunctions.add(node);
    const specifier = specifierOf(node);
    if (specifier !== undefined) {
      const refused = refusedImport(specifier, file, files);
      if (refused) add(node, refused);
    }
    // The implementation of an action may use anything, because it runs where that harms no history.
    if (isImplementation(file)) return;
    if (isAwait(node) && !inFunctions.has(node)) add(node, awaitAtLoading);
    const member = memberOf(node);
    if (member?.name !== undefined && isFree(member.object) && Object.hasOwn(members, member.name))
      add(node, members[member.name] ?? none);
    const reached = member ? member.property : boundFrom(node, parent);
    if (reached === 'constructor' || reached === '__proto__')
      add(node, { problem: `${reached} reaches what makes code that nobody has reviewed`, remedy: 'Write the code out.' });
    const clock = clockOf(node);
    if (clock !== undefined && 'callee' in node && isFree(node.callee))
      add(node, { problem: `${clock} reads the clock`, remedy: 'Use alert.time: new Date(alert.time).' });
    const name = isFree(node) ? (nameOf(node) ?? '') : undefined;
    if (name !== undefined && Object.hasOwn(globals, name)) add(node, globals[name] ?? none);
    else if (name?.startsWith('__')) add(node, { problem: `${name} belongs to what runs the playbook`, remedy: throughBody });
    else if (name !== undefined && ofNode.has(name))
      add(node, { problem: `${name} is Node’s and not the language’s: a playbook does not have it`, remedy: throughActions });
  });
  return faults;
}

const none: Refused = { problem: '', remedy: '' };

/** An incident creates its playbooks synchronously. */
const awaitAtLoading: Refused = {
  problem: 'await outside a function: a pack must not wait while it is loaded',
  remedy: 'Move it into the body of the playbook, or write the value out.',
};

function isFunction({ type }: Node): boolean {
  return /^(Function(Declaration|Expression)|ArrowFunctionExpression)$/.test(type);
}

function isAwait(node: Node): boolean {
  if ('kind' in node && node.kind === 'await using') return true;
  return node.type === 'AwaitExpression' || ('await' in node && node.await === true);
}

function parsed(file: string, source: string): { readonly program: Node } | { readonly fault: PackFault } {
  try {
    // Types are replaced by blanks, so that every position stays as in the source.
    const code = file.endsWith('.ts') ? withoutTypes(source) : source;
    return { program: parse(code, { ecmaVersion: 'latest', sourceType: 'module', locations: true }) };
  } catch (error) {
    const reason = error instanceof Error ? (error.message.split('\n')[0] ?? '') : '';
    return {
      fault: {
        file,
        line: lineOfFault(error),
        problem: `it cannot be read: ${reason}`,
        remedy:
          systemErrorCode(error) === 'ERR_UNSUPPORTED_TYPESCRIPT_SYNTAX'
            ? 'Only TypeScript whose types can be stripped is supported: no enum, no namespace, no parameter property.'
            : 'Correct it there, or in the line before: a bracket, a comma or a quote may be missing.',
      },
    };
  }
}

/** From the parser's error, or from the first line of Node's stack if it cannot strip the types: `:24`, the line, and a mark below. */
function lineOfFault(error: unknown): number {
  const loc: unknown = typeof error === 'object' && error !== null && 'loc' in error ? error.loc : undefined;
  if (typeof loc === 'object' && loc !== null && 'line' in loc && typeof loc.line === 'number') return loc.line;
  const stack = typeof error === 'object' && error !== null && 'stack' in error ? String(error.stack) : '';
  return Number(/^[^\n]*:(\d+)\n/.exec(stack)?.[1] ?? 1);
}

function isImplementation(file: string): boolean {
  return file.startsWith(`${implementations}/`);
}

function refusedImport(specifier: string, file: string, files: PackFiles['files']): Refused | undefined {
  if (packImports.some((name) => name === specifier)) return undefined;
  const module = specifier.replace(/^node:/, '');
  if (isImplementation(file) && specifier.startsWith('node:') && implementationModules.has(module)) return undefined;
  if (isImplementation(file) && specifier.startsWith('node:'))
    return {
      problem: `the implementation of an action may not import '${specifier}', which its process does not have`,
      remedy: `Use http, which it is called with, for every request. Modules that it may import: ${[...implementationModules].join(', ')}.`,
    };
  if (isImplementation(file) && !specifier.startsWith('.'))
    return {
      problem: `the implementation of an action may not import '${specifier}', which no integrity pins`,
      remedy: `Use http, which it is called with, modules of Node that only compute, or a copy of the package that is bundled into a file of ${implementations}.`,
    };
  if (!specifier.startsWith('.')) {
    const what = specifier === '' ? 'an import whose name is computed at run time' : `'${specifier}'`;
    return {
      problem: `a playbook may not import ${what}`,
      remedy: `Import only ${packImports.join(', ')} and files of the pack. ${throughActions}`,
    };
  }
  const path = posix.join(posix.dirname(file), specifier);
  if (isImplementation(path) && !isImplementation(file))
    return {
      problem: `'${specifier}' is the implementation of an action, which only its own process loads`,
      remedy: 'Import the declaration of the action (defineAction), which is in a file outside that folder.',
    };
  if (path.startsWith('..')) return { problem: `'${specifier}' is outside of the pack`, remedy: 'Move the file into the pack.' };
  return files.has(path)
    ? undefined
    : {
        problem: `there is no file ${path} in the pack`,
        remedy:
          'Write the name with its ending, .ts or .js, outside of test and alerts. CommonJS (.cjs) and data (.json) are not part of a pack: write them as TypeScript.',
      };
}

function specifierOf(node: Node): string | undefined {
  if (!/^(ImportDeclaration|ImportExpression|Export(Named|All)Declaration)$/.test(node.type)) return undefined;
  const source = 'source' in node ? node.source : undefined;
  if (source === null || source === undefined) return undefined;
  return isNode(source) && 'value' in source && typeof source.value === 'string' ? source.value : '';
}

/** `Date.now` and `Date['now']`; the name is absent if the object has none. */
function memberOf(node: Node) {
  if (node.type !== 'MemberExpression' || !('object' in node) || !('property' in node) || !isNode(node.property))
    return undefined;
  const isNamed = node.property.type === 'Literal' || !('computed' in node && node.computed === true);
  const [object, property] = [nameOf(node.object), isNamed ? nameOf(node.property) : undefined];
  const name = object === undefined || property === undefined ? undefined : `${object}.${property}`;
  return { object: node.object, property, name };
}

/** `constructor` in `const { constructor: it } = value`. */
function boundFrom(node: Node, parent: Node | undefined): string | undefined {
  if (parent?.type !== 'ObjectPattern' || !('key' in node) || !isNode(node.key)) return undefined;
  return node.key.type === 'Literal' || !('computed' in node && node.computed === true) ? nameOf(node.key) : undefined;
}

/** `new Date()`; and `Date(…)`, which returns the current time whatever its arguments. */
function clockOf(node: Node): string | undefined {
  if (!('callee' in node) || nameOf(node.callee) !== 'Date') return undefined;
  if (node.type === 'CallExpression') return 'Date()';
  return 'arguments' in node && Array.isArray(node.arguments) && node.arguments.length === 0 ? 'new Date()' : undefined;
}
