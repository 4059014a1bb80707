/** Adds playbooks to those of a build: for files that a test bundles in place of the workflows, as a reviewed change of the list would. */
import type { ListedPlaybook, Pack } from '../../core/playbook/pack.ts';
import { playbooks } from '../../playbooks/index.ts';
import { packs } from '../../workflows/packs.ts';

export function addPlaybooks(...added: readonly ListedPlaybook[]): void {
  // Workflows share what is shipped, which nobody can change there: the list of packs is each one's own.
  if (Object.isExtensible(playbooks)) (playbooks as ListedPlaybook[]).push(...added);
  else
    (packs as Pack[]).splice(0, 1, ...packs.slice(0, 1).map((pack) => ({ ...pack, playbooks: [...pack.playbooks, ...added] })));
}
