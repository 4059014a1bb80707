import type { Story } from './story.ts';
import { nothing, type Path, type PathTurn, silence } from './walk.ts';

export interface GraphNode {
  readonly id: string;
  readonly kind: 'alert' | 'step' | 'destructive' | 'question' | 'end';
  readonly text: string;
}

export interface GraphEdge {
  readonly from: string;
  readonly to: string;
  /** The answer, or what a step has found; empty if there is only one way. */
  readonly label: string;
}

/** What a playbook does, with every question and every end: the paths by answers alone, with identical continuations merged. */
export interface PlaybookGraph {
  readonly nodes: readonly GraphNode[];
  readonly edges: readonly GraphEdge[];
}

/** One event on a path, and how it continues from there. */
interface Beat {
  readonly kind: GraphNode['kind'];
  readonly text: string;
  readonly label: string;
}

interface Tree {
  readonly kind: GraphNode['kind'];
  readonly text: string;
  readonly ways: Map<string, Tree>;
}

/** Paths that begin alike, as walked by `everyAnswer`. */
interface GraphWay {
  /** How they begin; empty if there is only one way. */
  readonly label: string;
  readonly paths: readonly Path[];
}

/** Builds the graph of the paths on which nothing goes wrong. */
export function graphOf(...ways: readonly GraphWay[]): PlaybookGraph {
  const root: Tree = { kind: 'alert', text: 'alert', ways: new Map() };
  for (const { label, paths } of ways) for (const path of paths) if (isPlain(path)) grow(root, beatsOf(path), label);
  return drawn(root);
}

function isPlain({ circumstance, turns }: Path): boolean {
  const engineAsks = turns.some((turn) => turn.kind === 'answer' && turn.asker === 'engine');
  return circumstance === 'as given' && !engineAsks && turns.every((turn) => turn.kind !== 'failure' || !turn.fails);
}

/** Steps and questions in the order in which they ended, and the end. */
function beatsOf({ story, turns }: Path): readonly Beat[] {
  const found = foundIn(turns);
  const steps = story.steps.map(({ at, action, effect, state }) => ({
    at,
    kind: effect === 'destructive' ? ('destructive' as const) : ('step' as const),
    text: state === 'undone' ? `undo ${action}` : state === 'failed' ? `${action}: refused` : action,
    label: state === 'done' || state === 'skipped' ? (found.get(action)?.shift() ?? '') : '',
  }));
  const questions = story.questions.map(({ endedAt, text, answer }) => ({
    at: endedAt,
    kind: 'question' as const,
    text,
    label: answerWords[answer] ?? answer,
  }));
  const order = [...questions, ...steps].map((beat, place) => ({ beat, place }));
  order.sort((a, b) => a.beat.at - b.beat.at || a.place - b.place);
  return [
    ...order.map(({ beat: { kind, text, label } }) => ({ kind, text, label })),
    { kind: 'end', text: endText(story), label: '' },
  ];
}

/** Answers that are nobody's choice: none came, or the question became pointless. */
const answerWords: Readonly<Record<string, string>> = { [silence]: 'nobody answers', void: 'no longer asked' };

/** What each action has returned, if that makes a difference, in the order of its calls. */
function foundIn(turns: readonly PathTurn[]): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (const turn of turns)
    if (turn.kind === 'output')
      found.set(turn.action, [...(found.get(turn.action) ?? []), turn.variant === 0 ? otherwise : foundText(turn.said)]);
  return found;
}

function foundText(said: string): string {
  return said === nothing ? 'nothing found' : said;
}

const otherwise = 'otherwise';
/** Follows the name of what is still in force at the end. */
export const staysInForce = ' stays in force';

function endText({ verdict, left, end, steps, questions }: Story): string {
  const silent = questions.length > 0 && questions.every(({ by }) => by.length === 0);
  return [
    verdict === 'unknown' ? (silent ? 'nobody has answered' : 'done') : verdict.replace('_', ' '),
    ...left.map(({ action }) => `${action}${staysInForce}`),
    ...(end === 'done' ? [] : [end]),
    ...(steps.length === 0 && questions.length === 0 ? ['nothing is done'] : []),
  ].join('; ');
}

function grow(root: Tree, beats: readonly Beat[], begins: string): void {
  let at = root;
  let label = begins;
  for (const beat of beats) {
    const key = JSON.stringify([label, beat.kind, beat.text]);
    const next = at.ways.get(key) ?? { kind: beat.kind, text: beat.text, ways: new Map<string, Tree>() };
    at.ways.set(key, next);
    at = next;
    ({ label } = beat);
  }
}

/** Merges identical continuations, like minimising an automaton from its end states. */
function drawn(root: Tree): PlaybookGraph {
  const nodes: GraphNode[] = [];
  const edges: GraphEdge[] = [];
  const known = new Map<string, string>();
  const visit = (tree: Tree): string => {
    const ways = new Map<string, string[]>();
    for (const [key, next] of tree.ways) {
      const [label = ''] = JSON.parse(key) as readonly string[];
      const to = visit(next);
      ways.set(to, [...(ways.get(to) ?? []), label]);
    }
    const signature = JSON.stringify([tree.kind, tree.text, [...ways]]);
    const same = known.get(signature);
    if (same !== undefined) return same;
    const id = `n${nodes.length}`;
    known.set(signature, id);
    nodes.push({ id, kind: tree.kind, text: tree.text });
    for (const [to, labels] of ways) {
      const all = [...new Set(labels)];
      const isOnlyWay = ways.size === 1 && (all.includes(otherwise) || tree.kind === 'alert');
      const label = isOnlyWay ? '' : all.includes(otherwise) ? otherwise : all.join(' or ');
      edges.push({ from: id, to, label });
    }
    return id;
  };
  visit(root);
  // In reading order, from the alert on.
  return { nodes: nodes.toReversed(), edges: edges.toReversed() };
}

/** Puts steps that directly follow one another into one box, a line each, so that the picture fits a page. */
export function inBoxes({ nodes, edges }: PlaybookGraph): PlaybookGraph {
  const into = (id: string) => edges.filter(({ to }) => to === id);
  const outOf = (id: string) => edges.filter(({ from }) => from === id);
  const kindOf = new Map(nodes.map(({ id, kind }) => [id, kind]));
  /** The previous step, if it leads nowhere else and is of the same kind. */
  const before = (id: string): string | undefined => {
    const [edge, another] = into(id);
    if (!edge || another || edge.label !== '' || outOf(edge.from).length > 1) return undefined;
    const kind = kindOf.get(id);
    return (kind === 'step' || kind === 'destructive') && kindOf.get(edge.from) === kind ? edge.from : undefined;
  };
  const boxOf = (id: string): string => {
    const earlier = before(id);
    return earlier === undefined ? id : boxOf(earlier);
  };
  return {
    nodes: nodes
      .filter(({ id }) => boxOf(id) === id)
      .map((box) => ({ ...box, text: nodes.flatMap(({ id, text }) => (boxOf(id) === box.id ? [text] : [])).join('\n') })),
    edges: edges.flatMap(({ from, to, label }) => (before(to) === undefined ? [{ from: boxOf(from), to, label }] : [])),
  };
}

const shapes: Readonly<Record<GraphNode['kind'], readonly [string, string]>> = {
  alert: ['([', '])'],
  step: ['[', ']'],
  destructive: ['[', ']'],
  question: ['{{', '}}'],
  end: ['([', '])'],
};

/** Renders the graph for Mermaid. */
export function mermaidOf({ nodes, edges }: PlaybookGraph): string {
  const shape = ({ id, kind, text }: GraphNode): string => `  ${id}${shapes[kind][0]}"${mermaidText(text)}"${shapes[kind][1]}`;
  const destructive = nodes.filter(({ kind }) => kind === 'destructive').map(({ id }) => id);
  return [
    'flowchart TD',
    ...nodes.map(shape),
    ...edges.map(({ from, to, label }) => `  ${from} -->${label === '' ? '' : `|"${mermaidText(label)}"|`} ${to}`),
    ...(destructive.length > 0
      ? ['  classDef destructive stroke:#b00020,stroke-width:2px', `  class ${destructive.join(',')} destructive`]
      : []),
  ].join('\n');
}

/** An author's text must not end the label. */
function mermaidText(text: string): string {
  return text.replace(/[#"<>&\\`]/g, (character) => `#${character.codePointAt(0)};`).replaceAll('\n', '<br>');
}
