import { Gauge, type Registry } from 'prom-client';
import type { Pool } from '../../core/action/action.ts';
import type { MissingRight } from './missing.ts';

/** Missing rights of each pool's account; a pool that is not included could not be checked yet. */
export type MissingByPool = ReadonlyMap<Pool, readonly MissingRight[]>;

/** Returns the pools with missing rights, as listed by `/readyz`. */
export function lacking(missing: MissingByPool): {
  readonly missingRights?: Readonly<Partial<Record<Pool, readonly MissingRight[]>>>;
} {
  const pools = [...missing].filter(([, list]) => list.length > 0);
  return pools.length > 0 ? { missingRights: Object.fromEntries(pools) } : {};
}

/** Exports the number of missing rights per pool, for alerting. */
export function gaugeMissingRights(missing: () => MissingByPool, registers: Registry[]): void {
  new Gauge({
    name: 'firebreak_missing_rights',
    help: 'Rights that actions declare and the account does not have; absent until they could be checked',
    labelNames: ['pool'],
    registers,
    collect() {
      for (const [pool, list] of missing()) this.set({ pool }, list.length);
    },
  });
}
