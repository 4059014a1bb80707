import { isObject } from '../../core/text/plain-json.ts';
import { listAt, objectAt, textAt } from '../json-api.ts';

/** Names that sites give to the resolutions, in the order in which they are tried. */
const resolutions = {
  done: ['Done', 'Fixed', 'Resolved'],
  declined: ["Won't Do", "Won't Fix", 'Declined', 'Done'],
  duplicate: ['Duplicate', "Won't Do", 'Done'],
} as const;

/**
 * The body of the transition that closes an issue: to `status` where that is configured, else to any status whose category is done. The
 * workflow's screen may demand a resolution. Undefined: there is no such transition from where the issue is.
 */
export function doneTransition(
  transitions: readonly unknown[],
  { status, how }: { readonly status: string | undefined; readonly how: keyof typeof resolutions },
): unknown {
  const done = transitions.filter((transition) => textAt(objectAt(transition, 'to', 'statusCategory'), 'key') === 'done');
  const chosen =
    status === undefined ? done[0] : done.find((transition) => textAt(objectAt(transition, 'to'), 'name') === status);
  if (!isObject(chosen)) return undefined;
  const field = objectAt(chosen, 'fields', 'resolution');
  const allowed = listAt(field, 'allowedValues').map((value) => textAt(value, 'name'));
  const name = resolutions[how].find((wanted) => allowed.includes(wanted)) ?? allowed[0];
  return {
    transition: { id: textAt(chosen, 'id') },
    ...(name === undefined ? {} : { fields: { resolution: { name } } }),
  };
}
