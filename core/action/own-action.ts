import type { ActionDeclaration, OwnParts, Requirement, Right } from './action.ts';
import { type DataFields, type DataOf, problemsOfData } from './data-fields.ts';
import { problemOfEgress } from './egress.ts';
import type { Effect, Reach } from './plan.ts';

/** How wide an action of a pack may act. No action of a pack is `outside` of the rules. */
export type OwnReach = Exclude<Reach, 'outside'>;

/** An action of a pack, as data. Its implementation is in its own file, which only its pool's process loads. */
export interface OwnAction<Name extends string = string, Input = unknown, Output = unknown, E extends Effect = Effect>
  extends ActionDeclaration<Name, Input, Output, E> {
  readonly pool: 'packs';
  readonly reach: OwnReach;
  readonly own: OwnParts;
}

const fieldName = /^[a-z][A-Za-z0-9]{0,39}$/;
const longestMs = 600_000;
/** An output with such a field would be mistaken for something that Firebreak itself has stored or found out. */
const reserved: readonly string[] = ['evidence', 'images'];
const verbs: readonly string[] = ['get', 'list', 'watch', 'create', 'update', 'patch', 'delete'];

/**
 * Defines an action that Firebreak does not have, for playbooks of the same pack. It is declared here, as data; its implementation is in `implementations/`,
 * and runs in its own process that gets only what is declared. It is never automatic: unless it only looks, people approve its plan each time. List it in
 * `definePack({ actions: [closePort] })`; outside of the pack it is called `PACK/closePort`.
 *
 * ```ts
 * export const closePort = defineAction({
 *   name: 'closePort',
 *   title: 'Close a port of a security group',
 *   effect: 'reversible',
 *   reach: 'workload',
 *   input: { group: data.text('Id of the security group'), port: data.number('Port', { min: 1, max: 65_535 }) },
 *   output: { removed: data.number('Rules that were removed') },
 *   implementation: 'close-port.ts',
 *   secrets: ['cloudToken'],
 *   egress: ['cloud.example.com'],
 *   verifiedBy: 'The group is read back.',
 *   undo: 'Adds exactly the rules again that were removed.',
 *   example: { group: 'sg-1', port: 8080 },
 *   sample: { removed: 1 }, });
 * ```
 *
 * @throws TypeError for a declaration that contradicts itself.
 */
export function defineAction<
  const Name extends string,
  const E extends Effect,
  const R extends OwnReach,
  const I extends DataFields,
  const O extends DataFields,
>(action: {
  /** An identifier: `closePort`. */
  readonly name: Name;
  /** What it does, in the imperative: `Close a port of a security group`. */
  readonly title: string;
  /** `read` changes nothing; `reversible` has an exact undo; otherwise `destructive`. */
  readonly effect: E;
  readonly reach: R;
  readonly weakens?: true;
  readonly input: I;
  readonly output: O;
  /** File in the pack's `implementations` folder. */
  readonly implementation: string;
  readonly secrets?: readonly string[];
  readonly settings?: readonly string[];
  /**
   * The servers that it sends requests to: `api.example.com` (https), with a port `api.example.com:8443`, or `settings.endpoint` for the address in that
   * setting. Absent: none. The API server is reached with `rights`.
   */
  readonly egress?: readonly string[];
  /** Rights in the cluster for the account of the pool `packs`. Absent: none. */
  readonly rights?: readonly Right[];
  /** What the alert has to name. Absent: nothing. */
  readonly requires?: readonly Requirement[];
  /** Timeouts of one attempt, in milliseconds. Absent: 10 s to plan, 30 s to apply and to verify. */
  readonly timeouts?: Partial<ActionDeclaration['timeouts']>;
  /** What is read back, or probed. */
  readonly verifiedBy: string;
  /** What releasing it does, or why that is impossible. */
  readonly undo: string;
  readonly example: DataOf<I>;
  readonly sample: DataOf<O>;
}): OwnAction<Name, DataOf<I>, DataOf<O>, E> & { readonly reach: R } {
  const { weakens, input, output, implementation, secrets = [], settings = [], egress = [], sample, ...rest } = action;
  const { rights = [], requires = [], timeouts = {} } = action;
  const declared: OwnAction<Name, DataOf<I>, DataOf<O>, E> & { readonly reach: R } = {
    ...rest,
    pool: 'packs',
    rights,
    requires,
    timeouts: { planMs: 10_000, applyMs: 30_000, verifyMs: 30_000, ...timeouts },
    own: { input, output, implementation, secrets, settings, egress, sample, ...(weakens && { weakens }) },
  };
  const problem = problemOfOwnAction(declared);
  if (problem !== undefined) throw new TypeError(`the action ${action.name} ${problem}`);
  return declared;
}

/** What is wrong with a declaration, to be read after its name; undefined if nothing is. The compiler or a schema has already checked its shape. */
export function problemOfOwnAction({ name, effect, reach, rights, timeouts, example, own }: OwnAction): string | undefined {
  const { input, output, implementation, secrets, settings, egress, sample } = own;
  const bare = name.split('/').at(-1) ?? '';
  if (!fieldName.test(bare))
    return 'needs a name like an identifier: at most 40 letters and digits, starting with a lowercase letter';
  if (!['read', 'reversible', 'destructive'].includes(effect)) return `cannot have the effect ${effect}`;
  if (!['pod', 'workload', 'namespace', 'node', 'cluster'].includes(reach)) return `cannot reach ${reach}`;
  if (!/^[a-z0-9][a-z0-9/-]*\.[jt]s$/.test(implementation))
    return `has no file ${implementation}: name one in the folder implementations, such as close-port.ts`;
  const misnamed = [...Object.keys(input), ...Object.keys(output), ...secrets, ...settings].find((one) => !fieldName.test(one));
  if (misnamed !== undefined)
    return `cannot use the name “${misnamed}”: use letters and digits, starting with a lowercase letter`;
  const [unreachable] = egress.flatMap((entry) => problemOfEgress(entry, own) ?? []);
  if (unreachable !== undefined) return unreachable;
  const taken = Object.keys(output).find((one) => reserved.includes(one));
  if (taken !== undefined)
    return `cannot return “${taken}”, which is reserved for what Firebreak itself has found: choose another name`;
  const wide = rights.find((right) => [right.resource, right.apiGroup, ...right.verbs].some((text) => text.includes('*')));
  if (wide) return 'asks for a right on everything: name the resource and the verbs';
  const unknown = rights.flatMap((right) => right.verbs).find((verb) => !verbs.includes(verb));
  if (unknown !== undefined) return `cannot have the right to ${unknown}: use ${verbs.join(', ')}`;
  if (Object.values(timeouts).some((ms) => !(ms > 0 && ms <= longestMs)))
    return `needs timeouts of 1 to ${longestMs} ms for each attempt`;
  const wrongExample = problemsOfData(input, example)[0];
  if (wrongExample) return `has an example whose ${wrongExample.field} is wrong: ${wrongExample.problem}`;
  const wrongSample = problemsOfData(output, sample)[0];
  return wrongSample && `has a sample whose ${wrongSample.field} is wrong: ${wrongSample.problem}`;
}

/** The same action under its name outside of its pack. */
export function ofPack<A extends OwnAction>(pack: string, action: A): A {
  return { ...action, name: `${pack}/${action.name}` };
}
