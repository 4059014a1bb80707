import type { Pack } from '../core/playbook/pack.ts';
import { shippedPack } from '../playbooks/index.ts';

/** What the incidents of a build run. Where a configuration names packs, the bundler puts the list of them in the place of this file. */
export const packs: readonly Pack[] = [shippedPack];
