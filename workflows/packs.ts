import type { Pack } from '../core/playbook/pack.ts';
import { shippedPack } from '../playbooks/index.ts';

/** The packs that the incidents of a build run. If a configuration names packs, the bundler replaces this file by their list. */
export const packs: readonly Pack[] = [shippedPack];
