import type { ActionDeclaration } from '../../core/action/action.ts';
import type { OwnAction } from '../../core/action/own-action.ts';
import { actions as shippedActions } from '../../core/actions/index.ts';
import { enabledAmong } from '../../core/playbook/pack.ts';
import type { AnyPlaybook } from '../../core/playbook/playbook.ts';
import { playbooks as shipped } from '../../playbooks/index.ts';

/** What of a configuration says which playbooks there are. */
export interface Packed {
  readonly packs?: readonly { readonly playbooks: readonly AnyPlaybook[]; readonly actions: readonly OwnAction[] }[];
}

/** Every playbook that there is: those that are shipped, and those of the configured packs. */
export function playbooksOf({ packs = [] }: Packed = {}): readonly AnyPlaybook[] {
  return [...shipped, ...packs.flatMap(({ playbooks }) => playbooks)];
}

/** The actions of the configured packs, under the names that they have outside of them. */
export function ownActionsOf({ packs = [] }: Packed = {}): readonly OwnAction[] {
  return packs.flatMap(({ actions }) => actions);
}

/** Every action that there is. */
export function actionsOf(config: Packed = {}): readonly ActionDeclaration[] {
  return [...shippedActions, ...ownActionsOf(config)];
}

/** Those of them that the configuration enables, and what is always enabled. */
export function enabledPlaybooks(
  config: Packed & { readonly playbooks: { readonly enabled: 'all' | readonly string[] } },
): readonly AnyPlaybook[] {
  return enabledAmong(playbooksOf(config), config.playbooks.enabled);
}
