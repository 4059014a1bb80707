import { FirebreakError } from '../../../core/errors.ts';
import { fullIncidentId, shortIncidentId } from '../../../core/incident/incident.ts';
import type { IncidentState } from '../../../core/incident/incident-state.ts';
import { nearestName } from '../../config/nearest.ts';
import { rowsOf } from '../../incidents/rows.ts';
import { incidentState, type Session } from '../../incidents/session.ts';

/** As many as are looked through for the one that was meant, and as many as are named. */
const lookedThrough = 200;
const mostNamed = 3;

/**
 * The state of the incident that was typed, in whatever form.
 * @throws FB_ERR_UNKNOWN_ID, which names what was probably meant; FB_ERR_UNAVAILABLE.
 */
export async function incidentNamed(session: Session, written: string, run?: string): Promise<IncidentState> {
  const id = fullIncidentId(written, session.config.cluster);
  try {
    return await incidentState(session, { id, ...(run !== undefined && { run }) });
  } catch (error) {
    if (!(error instanceof FirebreakError && error.code === 'FB_ERR_UNKNOWN_ID')) throw error;
    throw new FirebreakError('FB_ERR_UNKNOWN_ID', `${error.detail}${await suggestion(session, written)}`);
  }
}

/** `; did you mean shop/Deployment/cart?`, or nothing: for a name that leads to no incident. Never throws. */
export async function suggestion(session: Session, written: string): Promise<string> {
  for (const all of [undefined, true] as const) {
    const rows = await rowsOf(session, { limit: lookedThrough, ...(all && { all }) }).catch(() => []);
    const known = [...new Set(rows.map(({ incident }) => shortIncidentId(incident, session.config.cluster)))];
    const [first, ...others] = meantBy(written, known);
    if (first === undefined) continue;
    const named = others.length === 0 ? first : `one of ${[first, ...others].join(', ')}`;
    return `; did you mean ${named}?`;
  }
  return '';
}

/** Those of that name, or that the name is of a pod of; else the nearest one. Bounded. */
export function meantBy(written: string, known: readonly string[]): readonly string[] {
  const lastOf = (id: string): string => id.split('/').at(-1) ?? id;
  const last = lastOf(written).toLowerCase();
  const same = known.filter((id) => {
    const name = lastOf(id).toLowerCase();
    return last === name || last.startsWith(`${name}-`);
  });
  if (same.length > 0) return same.slice(0, mostNamed);
  const near = nearestName(last, known.map(lastOf));
  return known.filter((id) => lastOf(id) === near).slice(0, mostNamed);
}
