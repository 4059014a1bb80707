import type { ActionDeclaration } from '../../core/action/action.ts';
import { actions as all } from '../../core/actions/index.ts';

interface Means {
  readonly actions: { readonly optIn: readonly string[] };
  readonly forensics: { readonly toolsImage?: string | undefined };
}

/**
 * What looks and keeps, and cannot as it is configured: it is off, or there are no tools to do it with. A playbook goes on without it, and the incident says
 * so; what contains or changes something a playbook is not enabled without.
 */
export function isUnavailable({ name, effect, pool, optIn }: ActionDeclaration, { actions, forensics }: Means): boolean {
  if (effect !== 'read' || actions.optIn.includes(name)) return false;
  return optIn === true || (pool === 'forensics' && forensics.toolsImage === undefined);
}

export function unavailableActions(means: Means): readonly string[] {
  return all.filter((action) => isUnavailable(action, means)).map(({ name }) => name);
}
