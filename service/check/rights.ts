import type { ActionDeclaration } from '../../core/action/action.ts';
import type { Config } from '../config/load.ts';
import { isUnavailable } from '../config/unavailable.ts';
import type { DescribedPack } from '../packs/describe.ts';
import { enabledActions, shippedActions } from '../rbac/enabled.ts';
import { rightText } from '../rbac/missing.ts';
import { withPack } from './configured.ts';
import type { CheckFinding } from './finding.ts';
import type { PackPlaces } from './places.ts';

/** The actions that a pack's playbooks use with this configuration. */
export function actionsOfPack({ playbooks }: DescribedPack, config: Config | undefined): readonly ActionDeclaration[] {
  const used = new Map(playbooks.flatMap(({ uses }) => Object.values(uses)).map((action) => [action.name, action]));
  return [...used.values()].filter((action) => !config || !isUnavailable(action, config));
}

/**
 * Rights that the accounts do not have yet: those of the pack's actions that nothing else enabled needs; without a configuration, those that `deploy/rbac` does
 * not grant.
 */
export function rightsFindings(pack: DescribedPack, places: PackPlaces, config: Config | undefined): readonly CheckFinding[] {
  const granted = new Set((config ? enabledActions(withPack(config, pack).without) : alwaysGranted()).flatMap(rightsOf));
  return actionsOfPack(pack, config).flatMap((action): readonly CheckFinding[] => {
    const added = [...new Set(rightsOf(action))].filter((right) => !granted.has(right));
    const isOff = action.optIn === true && !config;
    if (added.length === 0 && !isOff) return [];
    const user = pack.playbooks.find(({ uses }) => Object.values(uses).some(({ name }) => name === action.name));
    const rights = added.length === 0 ? '' : ` needs rights that nothing else needs: ${added.join(', ')}`;
    return [
      {
        severity: isOff ? 'warning' : 'notice',
        check: 'rights',
        ...(user && { playbook: user.id, ...places.of(user.id, action.name) }),
        problem: `${action.name}${isOff ? ' is off until actions.optIn of the configuration names it' : ''}${isOff && rights ? ', and' : ''}${rights}`,
        remedy: config
          ? 'Grant them before the pack is enabled: firebreak rbac manifests --config FILE, with the pack in it.'
          : `Grant them with the pack: firebreak rbac manifests --actions ${action.name}.`,
      },
    ];
  });
}

function alwaysGranted(): readonly ActionDeclaration[] {
  return shippedActions().filter(({ optIn }) => optIn !== true);
}

/** Each right with the account that has it. */
function rightsOf({ pool, rights }: ActionDeclaration): readonly string[] {
  return rights.flatMap((right) => right.verbs.map((verb) => `${rightText(right, verb)} (${pool})`));
}
