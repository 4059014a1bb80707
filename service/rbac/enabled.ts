import type { ActionDeclaration } from '../../core/action/action.ts';
import type { AnyPlaybook } from '../../core/playbook/playbook.ts';
import { unknownName } from '../config/nearest.ts';
import { actionsOf, enabledPlaybooks, type Packed, playbooksOf } from '../config/packs.ts';
import { isUnavailable } from '../config/unavailable.ts';

/** Returns the actions that playbooks use, in the order of the list: unused actions need no rights. */
function actionsUsedBy(playbooks: readonly AnyPlaybook[], config?: Packed): readonly ActionDeclaration[] {
  const used = new Set(playbooks.flatMap(({ uses }) => Object.values(uses).map(({ name }) => name)));
  return actionsOf(config).filter(({ name }) => used.has(name));
}

/**
 * Returns the actions of playbooks by their ids; absent: of all playbooks.
 * @throws FB_ERR_UNKNOWN_ID for a playbook that does not exist.
 */
export function actionsOfPlaybooks(ids?: readonly string[], config?: Packed): readonly ActionDeclaration[] {
  const all = playbooksOf(config);
  const named = ids?.map((id) => {
    const playbook = all.find((one) => one.id === id);
    if (playbook) return playbook;
    throw unknownName({ what: 'playbook', written: id, known: all.map((one) => one.id), listedBy: 'firebreak playbooks list' });
  });
  return actionsUsedBy(named ?? all, config);
}

/** Returns what a configuration enables: the actions of its playbooks, and those that it turns on in addition. */
export function enabledActions(
  config: Parameters<typeof enabledPlaybooks>[0] & Parameters<typeof isUnavailable>[1],
): readonly ActionDeclaration[] {
  const used = actionsUsedBy(enabledPlaybooks(config), config).filter((action) => !isUnavailable(action, config));
  return actionsOf(config).filter((action) => used.includes(action) || config.actions.optIn.includes(action.name));
}

/** The actions covered by `deploy/rbac`: those of the shipped playbooks, with a separate file for each action that is off by default. */
export function shippedActions(): readonly ActionDeclaration[] {
  const used = actionsOfPlaybooks();
  return actionsOf().filter((action) => action.optIn || used.includes(action));
}
