import type { ActionDeclaration } from '../core/action/action.ts';
import { actions } from '../core/actions/index.ts';
import { StepFailure } from './step-failure.ts';
import { ownActionOf } from './world.ts';

const byName = new Map(actions.map((action) => [action.name, action]));

/** @throws StepFailure if no action has this name: the playbook is from another build. */
export function declarationOf(name: string): ActionDeclaration {
  const declaration = byName.get(name) ?? ownActionOf(name);
  if (!declaration) throw new StepFailure('FB_ERR_REFUSED', `there is no action ${name}`);
  return declaration;
}
