import type { ListedPlaybook } from '../core/playbook/pack.ts';
import { type GraphNode, inBoxes, type PlaybookGraph, staysInForce } from './graph.ts';

type Uses = Pick<ListedPlaybook, 'uses'>;

/** The graph for people: actions by their titles, and steps that directly follow one another in one box. */
export function graphForPeople(playbook: Uses, { nodes, edges }: PlaybookGraph): PlaybookGraph {
  return inBoxes({ nodes: nodes.map((node) => ({ ...node, text: nodeText(playbook, node) })), edges });
}

/** An action by its title, or by the name of its release. */
export function actionText(playbook: Uses, name: string, how: 'done' | 'undone'): string {
  const action = actionOf(playbook, name);
  const title = action?.title ?? name;
  if (how === 'done') return title;
  return action?.words?.undo === undefined ? `Undo: ${lower(title)}` : upper(action.words.undo);
}

function actionOf({ uses }: Uses, name: string) {
  return Object.values(uses).find((action) => action.name === name);
}

function lower(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}

function upper(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

const verdictWords: Readonly<Record<string, string>> = { 'true positive': 'an attack', benign: 'harmless' };
const refused = ': refused';

function nodeText(playbook: Uses, { kind, text }: GraphNode): string {
  if (kind === 'end')
    return text
      .split('; ')
      .map((part) => endText(playbook, part))
      .join('\n');
  if (kind !== 'step' && kind !== 'destructive') return text;
  if (text.startsWith('undo ')) return actionText(playbook, text.replace('undo ', ''), 'undone');
  return text.endsWith(refused)
    ? `${actionText(playbook, text.slice(0, -refused.length), 'done')}${refused}`
    : actionText(playbook, text, 'done');
}

/** `still quarantined`, if the action has a word for it. */
function endText(playbook: Uses, part: string): string {
  if (!part.endsWith(staysInForce)) return verdictWords[part] ?? part;
  const name = part.slice(0, -staysInForce.length);
  const held = actionOf(playbook, name)?.words?.held;
  return held === undefined ? `in force: ${lower(actionText(playbook, name, 'done'))}` : `still ${held}`;
}
