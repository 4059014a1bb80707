import { FirebreakError } from '../../core/errors.ts';
import type { IncidentState } from '../../core/incident/incident-state.ts';

export type LeaseChoice = keyof typeof choices;

/** Returns the id of the only active lease, or of the wanted one. @throws FB_ERR_NOT_OPEN, FB_ERR_INCOMPLETE. */
export function leaseOf(state: IncidentState, wanted: string | undefined): string {
  const active = state.leases.filter((lease) => lease.state === 'active');
  const [first, ...others] = wanted === undefined ? active : active.filter(({ id }) => id === wanted);
  if (first === undefined) {
    const others = state.leases.filter(({ id }) => wanted === undefined || id === wanted);
    const known = others.map(({ id, action, target, state: now }) => `${id} (${action} on ${target.name}) is ${now}`).join(', ');
    const what = wanted === undefined ? 'no lease is active' : `the lease ${wanted} is not active`;
    throw new FirebreakError('FB_ERR_NOT_OPEN', known === '' ? what : `${what}: ${known}`);
  }
  if (others.length > 0)
    throw new FirebreakError(
      'FB_ERR_INCOMPLETE',
      `more than one lease is active, name one: ${active.map(({ id, action, target }) => `${id} (${action} on ${target.name})`).join(', ')}`,
    );
  return first.id;
}

export const choices = {
  extend: 'extend a containment by one more term',
  release: 'release what is contained now',
  keep: 'make a containment permanent',
} as const;
