import type { Plan } from '../../core/action/plan.ts';
import type { StepResult } from '../../core/playbook/playbook.ts';
import { StepFailure } from '../step-failure.ts';

/** The result of a step that was only planned, so that a body goes on as if it had been done. What only the step itself could have found out ends the body. */
export function asIfDone(plan: Plan, key: string): StepResult {
  const detail = 'not done, only planned: mode observe';
  return { action: plan.action, key, plan, output: unknownOutput(plan), verification: { state: 'unverified', detail } };
}

function unknownOutput({ action, target }: Plan): object {
  return new Proxy(
    {},
    {
      get: (_, field) => {
        // A promise asks for `then`, and a text for its symbols.
        if (typeof field === 'symbol' || field === 'then' || field === 'toJSON') return undefined;
        throw new StepFailure(
          'FB_ERR_OBSERVED',
          `only ${action} of ${target.name} could have told “${field}”, and it was not done: mode observe. What follows is not simulated`,
        );
      },
    },
  );
}
