import { type Node, parse } from 'acorn';
import type { PackFiles } from '../packs/pack-files.ts';
import { nameOf, visit, withoutTypes } from '../packs/syntax.ts';

/** A place in a pack's code. */
interface PlaceInPack {
  readonly file: string;
  readonly line: number;
}

interface TextInCode {
  readonly text: string;
  readonly line: number;
  /** The text is the value of an `id`. */
  readonly isId: boolean;
  /** The text is inside the argument of a `definePlaybook` call. */
  readonly isPlaybook: boolean;
}

/** Finds the place of an envelope's values in the code, by their texts: as data, an envelope no longer knows where it was written. */
export class PackPlaces {
  readonly #texts: ReadonlyMap<string, readonly TextInCode[]>;

  constructor({ files }: PackFiles) {
    this.#texts = new Map(
      [...files].map(([file, content]) => [file, textsIn(content.toString('utf8'), file.endsWith('.ts'))] as const),
    );
  }

  /** @param id of the playbook, in full. @param text the text to find, at its last occurrence; absent: the id itself. */
  of(id: string, text?: string): PlaceInPack | undefined {
    const bare = id.slice(id.indexOf('/') + 1);
    for (const [file, texts] of this.#texts) {
      const own = texts.find((one) => one.isId && one.text === bare);
      if (!own) continue;
      const found = text === undefined ? own : texts.findLast((one) => one.text === text);
      // A list shared by playbooks may be in a separate file.
      const shared = found ? undefined : this.#anywhere(text);
      return shared ?? { file, line: (found ?? own).line };
    }
    return undefined;
  }

  /** Ids of playbooks written here, whether or not the pack lists them. Computed ids are not included. */
  written(): readonly (PlaceInPack & { readonly id: string })[] {
    return [...this.#texts].flatMap(([file, texts]) =>
      texts.flatMap(({ text, line, isPlaybook }) => (isPlaybook ? [{ id: text, file, line }] : [])),
    );
  }

  #anywhere(text: string | undefined): PlaceInPack | undefined {
    for (const [file, texts] of this.#texts) {
      const found = texts.find((one) => one.text === text);
      if (found) return { file, line: found.line };
    }
    return undefined;
  }
}

function textsIn(source: string, isTyped: boolean): readonly TextInCode[] {
  const texts: TextInCode[] = [];
  let program: Node;
  try {
    program = parse(isTyped ? withoutTypes(source) : source, { ecmaVersion: 'latest', sourceType: 'module', locations: true });
  } catch {
    return texts;
  }
  const envelopes = new Set<Node>();
  const ids = new Set<Node>();
  visit(program, (node, parent) => {
    if (node.type === 'CallExpression' && 'callee' in node && nameOf(node.callee) === 'definePlaybook' && 'arguments' in node)
      for (const argument of Array.isArray(node.arguments) ? node.arguments.slice(0, 1) : []) envelopes.add(argument);
    if (parent !== undefined && envelopes.has(parent)) ids.add(node);
    const text = node.type === 'Literal' || node.type === 'Identifier' ? nameOf(node) : undefined;
    const isId = parent !== undefined && 'key' in parent && parent.key !== node && nameOf(parent.key) === 'id';
    const isPlaybook = isId && node.type === 'Literal' && ids.has(parent);
    if (text !== undefined) texts.push({ text, line: node.loc?.start.line ?? 1, isId, isPlaybook });
  });
  return texts;
}
