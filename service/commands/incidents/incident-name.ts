import { FirebreakError, hasCode } from '../../../core/errors.ts';
import { fullIncidentId, shortIncidentId } from '../../../core/incident/incident.ts';
import type { IncidentState } from '../../../core/incident/incident-state.ts';
import { listedIds } from '../../incidents/rows.ts';
import { incidentState, type Session } from '../../incidents/session.ts';
import { meantText } from './meant-incident.ts';

/** Maximum number of incidents searched for the one that was meant. */
const lookedThrough = 200;

/**
 * Returns the state of the incident that was typed, in any of its forms.
 * @throws FB_ERR_UNKNOWN_ID, which suggests the one that was probably meant; FB_ERR_UNAVAILABLE.
 */
export async function incidentNamed(session: Session, written: string, run?: string): Promise<IncidentState> {
  const id = fullIncidentId(written, session.config.cluster);
  try {
    return await incidentState(session, { id, ...(run !== undefined && { run }) });
  } catch (error) {
    if (!hasCode(error, 'FB_ERR_UNKNOWN_ID')) throw error;
    throw new FirebreakError('FB_ERR_UNKNOWN_ID', `${error.detail}${await suggestion(session, written)}`);
  }
}

/** Returns `; did you mean shop/Deployment/cart?`, or an empty text, for a name that matches no incident. Never throws. */
export async function suggestion(session: Session, written: string): Promise<string> {
  for (const all of [undefined, true] as const) {
    const ids = await listedIds(session, { limit: lookedThrough, ...(all && { all }) }).catch(() => []);
    const known = [...new Set(ids.map((id) => shortIncidentId(id, session.config.cluster)))];
    const named = meantText(written, known);
    if (named !== '') return named;
  }
  return '';
}
