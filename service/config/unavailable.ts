import type { ActionDeclaration } from '../../core/action/action.ts';
import { actions as all } from '../../core/actions/index.ts';

interface Means {
  readonly actions: { readonly optIn: readonly string[] };
  readonly forensics: { readonly toolsImage?: string | undefined };
}

/**
 * Whether an action that only reads and keeps evidence cannot run as configured: it is off, or its tools are missing. A playbook continues without it, and the
 * incident says so. Without an action that contains or changes something, a playbook is not enabled.
 */
export function isUnavailable({ name, effect, pool, optIn }: ActionDeclaration, { actions, forensics }: Means): boolean {
  if (effect !== 'read' || actions.optIn.includes(name)) return false;
  return optIn === true || (pool === 'forensics' && forensics.toolsImage === undefined);
}

export function unavailableActions(means: Means): readonly string[] {
  return all.filter((action) => isUnavailable(action, means)).map(({ name }) => name);
}
