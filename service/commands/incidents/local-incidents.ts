import type { ControlState } from '../../../core/decide/control.ts';
import { isRestraint } from '../../../core/decide/decision.ts';
import { traceOf } from '../../../core/incident/incident-trace.ts';
import { isInForce, type RestraintTerms } from '../../../core/orders/restraint.ts';
import { namesWithIds } from '../../incidents/names.ts';
import { type ListedIncidents, rowsOf, withStands } from '../../incidents/rows.ts';
import { controlState, type Session } from '../../incidents/session.ts';
import type { DeskOptions } from '../desk/desk-options.ts';
import type { ConfiguredOptions, OutputOptions } from '../options.ts';
import { printJson } from '../output.ts';
import { withSession } from '../session.ts';
import { incidentNamed } from './incident-name.ts';
import { besidesOf, printIncident, printRows } from './incident-text.ts';
import { printUntilClosed } from './watch-lines.ts';

export interface ListIncidentsOptions extends ConfiguredOptions, DeskOptions, ListedIncidents, OutputOptions {}

export interface ShowIncidentOptions extends ConfiguredOptions, DeskOptions {
  readonly run?: string;
}

export function listIncidents(options: ListIncidentsOptions): Promise<void> {
  return withSession(options, async (session) => {
    const rows = await withStands(session, await rowsOf(session, options));
    printRows(rows, options, { cluster: session.config.cluster, now: Date.now() });
  });
}

export function showIncident(written: string, options: ShowIncidentOptions): Promise<void> {
  return withSession(options, async (session) => {
    const state = await incidentNamed(session, written, options.run);
    const deadlines = await (await import('../records/deadlines.ts')).deadlineLinesOf(options, state.incident);
    if (options.json) return printJson({ ...state, deadlines, traceId: traceOf(state.incident).traceId });
    const { subject, bodies } = state;
    const namespace = subject.kind === 'workload' ? subject.namespace : undefined;
    const restraints = await restraintsOn(session, {
      incident: state.incident.id,
      namespace,
      playbooks: bodies.map(({ playbook }) => playbook),
    });
    const { config } = options;
    printIncident(state, besidesOf(state, { names: namesWithIds(session.config.roster), restraints, deadlines, config }));
  });
}

export function watchIncident(written: string, options: ShowIncidentOptions): Promise<void> {
  return withSession(options, (session) =>
    printUntilClosed(() => incidentNamed(session, written, options.run), {
      ...options,
      names: namesWithIds(session.config.roster),
      passing: ['FB_ERR_UNAVAILABLE'],
    }),
  );
}

/** The restraints in force that hold up steps of an incident in this namespace or of these playbooks. */
async function restraintsOn(
  session: Session,
  about: { readonly incident: string; readonly namespace: string | undefined; readonly playbooks: readonly string[] },
): Promise<readonly RestraintTerms[]> {
  const { decisions } = await controlState(session).catch((): Pick<ControlState, 'decisions'> => ({ decisions: [] }));
  return decisions.filter(isRestraint).flatMap(({ proposal, status }) => {
    const { terms } = proposal.order;
    const { scope } = terms;
    const names = { incident: [about.incident], namespace: [about.namespace], playbook: about.playbooks };
    const fits = scope.kind === 'cluster' || names[scope.kind].includes(scope.name);
    return status.state === 'active' && isInForce(terms, Date.now()) && fits ? [terms] : [];
  });
}
