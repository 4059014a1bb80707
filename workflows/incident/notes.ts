import { blockEgress, isolateNamespace } from '../../core/actions/index.ts';
import type { RecordKind } from '../../core/audit/record-kinds.ts';
import type { IncidentNote } from '../../core/incident/incident.ts';
import type { StepState } from '../../core/incident/incident-state.ts';
import { declarationOf } from '../declarations.ts';
import { lasts } from '../steps/step-calls.ts';
import type { IncidentModel } from './model.ts';
import type { IncidentParts } from './parts.ts';

const noteKinds = [
  'alert.suppressed',
  'sensor.back',
  'step.seen',
  'incident.restarted',
  'pack.observed',
  'containment.reasserted',
  'containment.changed',
  'containment.whole',
  'containment.gone',
] as const satisfies readonly RecordKind[];

const makesPolicies: ReadonlySet<string> = new Set([isolateNamespace.name, blockEgress.name]);

/** Records a note once; anyone who can reach Temporal can send one. */
export function noteOn(
  parts: Pick<IncidentParts, 'model' | 'questions' | 'checks' | 'handed'>,
  note: Partial<IncidentNote> | null | undefined,
): void {
  const { model, questions, checks } = parts;
  const { id, text, about } = note ?? {};
  const kind = noteKinds.find((known) => known === note?.kind);
  if (typeof id !== 'string' || kind === undefined || typeof text !== 'string' || typeof about !== 'string') return;
  // Each replica of the cell hands over the records that it has seen being made; the rest of their notes is the same.
  parts.handed.hear(note?.records ?? []);
  if (!model.firstSight(`note:${id}`)) return;
  const words = text.slice(0, 1_000);
  // What the incident itself has ended, or is releasing, is no news.
  if (kind === 'containment.gone' && [...model.steps.values()].some(endsTargets)) return;
  if (
    about.startsWith('networkpolicy/') &&
    !model.activeLeases.some(({ state, action }) => state === 'active' && makesPolicies.has(action))
  )
    return;
  // The same for an object held without a lease: the incident does not release it, but may delete it.
  if (kind === 'containment.changed' && !stillHeld(model, about, words)) return;
  model.record(kind, 'engine', words, { about: about.slice(0, 300) });
  if (kind === 'incident.restarted') questions.page(words);
  if (!kind.startsWith('containment.')) return;
  // Whoever changes a quarantine is active now. The cell itself determines its state, whoever sent the note.
  questions.page(words);
  checks.lookAgain();
}

/** If the step that holds it has no lease, stores the state from the note; returns false if the incident itself has ended it. */
function stillHeld(model: IncidentModel, about: string, detail: string): boolean {
  const own = [...model.steps.values()].filter(({ target }) => target === about);
  const holding = own.filter(({ action }) => declarationOf(action).holds !== undefined);
  if (holding.length > 0 && own.some((step) => endsTargets(step) && !holding.includes(step))) return false;
  for (const step of holding) {
    if (lasts(declarationOf(step.action)) || step.state === 'failed') continue;
    const { verification: _, ...others } = step;
    model.steps.set(step.key, { ...others, state: 'drifted', detail });
  }
  return true;
}

function endsTargets({ action, state }: StepState): boolean {
  return state !== 'failed' && declarationOf(action).effect === 'destructive';
}
