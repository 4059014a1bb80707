/** Adds playbooks to those of a build: for files that a test bundles instead of the workflows, like a reviewed change of the list. */
import type { ListedPlaybook, Pack } from '../../core/playbook/pack.ts';
import { playbooks } from '../../playbooks/index.ts';
import { packs } from '../../workflows/packs.ts';

export function addPlaybooks(...added: readonly ListedPlaybook[]): void {
  // Workflows share the shipped list, which nobody can change there; each has its own list of packs.
  if (Object.isExtensible(playbooks)) (playbooks as ListedPlaybook[]).push(...added);
  else
    (packs as Pack[]).splice(0, 1, ...packs.slice(0, 1).map((pack) => ({ ...pack, playbooks: [...pack.playbooks, ...added] })));
}
