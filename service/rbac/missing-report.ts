import { Gauge, type Registry } from 'prom-client';
import type { Pool } from '../../core/action/action.ts';
import type { MissingRight } from './missing.ts';

/** What each pool's account lacks; a pool that is not here could not be asked for yet. */
export type MissingByPool = ReadonlyMap<Pool, readonly MissingRight[]>;

/** The pools that lack something, as `/readyz` names them. */
export function lacking(missing: MissingByPool): {
  readonly missingRights?: Readonly<Partial<Record<Pool, readonly MissingRight[]>>>;
} {
  const pools = [...missing].filter(([, list]) => list.length > 0);
  return pools.length > 0 ? { missingRights: Object.fromEntries(pools) } : {};
}

/** How many rights each pool lacks, in numbers to be alerted on. */
export function gaugeMissingRights(missing: () => MissingByPool, registers: Registry[]): void {
  new Gauge({
    name: 'firebreak_missing_rights',
    help: 'Rights that actions declare and the account does not have; absent while nobody could be asked',
    labelNames: ['pool'],
    registers,
    collect() {
      for (const [pool, list] of missing()) this.set({ pool }, list.length);
    },
  });
}
