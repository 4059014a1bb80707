import type { UnderwayStep } from '../../core/action/own-steps.ts';
import type { Plan } from '../../core/action/plan.ts';
import type { StepCall } from '../../core/action/step.ts';

/** Registers which step is underway: sensors see it too. */
export interface StepRegister {
  during<T>(step: UnderwayStep, work: () => Promise<T>): Promise<T>;
}

/** Registers what the step touches for as long as it runs. */
export async function underway<T>(
  steps: StepRegister | undefined,
  call: StepCall,
  plan: Plan | undefined,
  work: () => Promise<T>,
): Promise<T> {
  if (!steps) return work();
  const planned = plan ? [plan.target.name, ...plan.blastRadius, ...plan.changes.map(({ target }) => target)] : [];
  const targets = [...new Set([...planned, ...objectsIn(call.input)])];
  return steps.during({ key: call.key, action: call.action, incident: call.incident.id, targets }, work);
}

/** The objects named in an input, by field name: `pod`, `secret`. */
function objectsIn(input: unknown): readonly string[] {
  if (typeof input !== 'object' || input === null) return [];
  return Object.entries(input).flatMap(([kind, value]: [string, unknown]) => {
    if (typeof value !== 'object' || value === null || !('namespace' in value) || !('name' in value)) return [];
    return [`${kind}/${String(value.namespace)}/${String(value.name)}`];
  });
}
