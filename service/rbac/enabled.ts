import type { ActionDeclaration } from '../../core/action/action.ts';
import { actions } from '../../core/actions/index.ts';
import { FirebreakError } from '../../core/errors.ts';
import { enabledIds, playbooks } from '../../playbooks/index.ts';

/**
 * The actions that playbooks use, in the order of the list: what is not used needs no right. `playbooks` are ids; absent: all that are shipped.
 * @throws FB_ERR_UNKNOWN_ID for a playbook that does not exist.
 */
export function actionsOfPlaybooks(ids: readonly string[] = playbooks.map(({ id }) => id)): readonly ActionDeclaration[] {
  const used = new Set(
    ids.flatMap((id) => {
      const playbook = playbooks.find((one) => one.id === id);
      if (!playbook) {
        const known = playbooks.map((one) => one.id).join(', ');
        throw new FirebreakError('FB_ERR_UNKNOWN_ID', `there is no playbook ${id}, only: ${known}`);
      }
      return Object.values(playbook.uses).map(({ name }) => name);
    }),
  );
  return actions.filter(({ name }) => used.has(name));
}

/** What a configuration enables: the actions of its playbooks, and those that it turns on besides. */
export function enabledActions(config: {
  readonly playbooks: { readonly enabled: 'all' | readonly string[] };
  readonly actions: { readonly optIn: readonly string[] };
}): readonly ActionDeclaration[] {
  const used = actionsOfPlaybooks(enabledIds(config.playbooks.enabled));
  return actions.filter((action) => used.includes(action) || config.actions.optIn.includes(action.name));
}

/** What `deploy/rbac` is made for: the shipped playbooks, and a file of its own for each action that is off by default. */
export function shippedActions(): readonly ActionDeclaration[] {
  const used = actionsOfPlaybooks();
  return actions.filter((action) => action.optIn || used.includes(action));
}
