import type { ActionDeclaration } from '../../core/action/action.ts';
import type { OwnAction } from '../../core/action/own-action.ts';
import { actions as shippedActions } from '../../core/actions/index.ts';
import { enabledAmong } from '../../core/playbook/pack.ts';
import type { AnyPlaybook } from '../../core/playbook/playbook.ts';
import { playbooks as shipped } from '../../playbooks/index.ts';

/** The parts of a configuration that determine which playbooks exist. */
export interface Packed {
  readonly packs?: readonly { readonly playbooks: readonly AnyPlaybook[]; readonly actions: readonly OwnAction[] }[];
}

/** All playbooks: the shipped ones and those of the configured packs. */
export function playbooksOf({ packs = [] }: Packed = {}): readonly AnyPlaybook[] {
  return [...shipped, ...packs.flatMap(({ playbooks }) => playbooks)];
}

/** The actions of the configured packs, under the names used outside their packs. */
export function ownActionsOf({ packs = [] }: Packed = {}): readonly OwnAction[] {
  return packs.flatMap(({ actions }) => actions);
}

/** All actions. */
export function actionsOf(config: Packed = {}): readonly ActionDeclaration[] {
  return [...shippedActions, ...ownActionsOf(config)];
}

/** The playbooks that the configuration enables, and those that are always enabled. */
export function enabledPlaybooks(
  config: Packed & { readonly playbooks: { readonly enabled: 'all' | readonly string[] } },
): readonly AnyPlaybook[] {
  return enabledAmong(playbooksOf(config), config.playbooks.enabled);
}
