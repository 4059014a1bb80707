import { type OwnAction, ofPack } from '../action/own-action.ts';
import { type ParamValue, problemOfParam, withDefault } from './params.ts';
import type { AnyPlaybook, Playbook } from './playbook.ts';

/** A playbook in a list. Only the engine calls its body, because only the engine creates the context. */
export interface ListedPlaybook extends AnyPlaybook {
  readonly run: (context: never) => Promise<void>;
  /** Version of its pack; absent if it is in none. */
  readonly version?: string;
}

/** Playbooks that belong together, under one name and version: configured, pinned and published as a unit. */
export interface Pack {
  readonly name: string;
  readonly version: string;
  /** Under their full ids, `PACK/PLAYBOOK`. */
  readonly playbooks: readonly ListedPlaybook[];
  /** The pack's own actions, under their full names, `PACK/ACTION`. */
  readonly actions: readonly OwnAction[];
}

const namePattern = /^[a-z][a-z0-9-]{0,39}$/;

/**
 * Defines a pack, the default export of `firebreak.pack.ts`. Its playbooks are known by the pack's name and their own: `our-playbooks/miner`.
 *
 * ```ts
 * export default definePack({ name: 'our-playbooks', version: '1.0.0', playbooks: [miner] });
 * ```
 *
 * @throws TypeError for an invalid name, for two playbooks with the same id, and for an own action that is used but not listed.
 */
export function definePack(pack: {
  readonly name: string;
  readonly version: string;
  readonly playbooks: readonly ListedPlaybook[];
  /** The actions that its playbooks use and that were made by `defineAction`. */
  readonly actions?: readonly OwnAction[];
  /** Defaults for parameters that no configuration sets, by playbook: they replace the envelopes' own defaults. */
  readonly params?: Readonly<Record<string, Readonly<Record<string, ParamValue>>>>;
}): Pack {
  const { name, version, playbooks, actions = [], params = {} } = pack;
  const stranger = Object.keys(params).find((id) => playbooks.every((playbook) => playbook.id !== id));
  if (stranger !== undefined) throw new TypeError(`the pack ${name} sets parameters of ${stranger}, which it does not have`);
  mustBeName(name, 'a pack');
  for (const [index, { id }] of playbooks.entries()) {
    mustBeName(id, `a playbook of the pack ${name}`);
    if (playbooks.findIndex((other) => other.id === id) < index)
      throw new TypeError(`the pack ${name} has two playbooks ${id}: give one of them another id`);
  }
  for (const [index, action] of actions.entries())
    if (actions.findIndex((other) => other.name === action.name) < index)
      throw new TypeError(`the pack ${name} has two actions ${action.name}: give one of them another name`);
  return {
    name,
    version,
    playbooks: playbooks.map((playbook) => ({
      ...listed(name, playbook, params[playbook.id]),
      version,
      uses: usesOf(name, playbook, actions),
    })),
    actions: actions.map((action) => ofPack(name, action)),
  };
}

function mustBeName(name: string, what: string): void {
  if (!namePattern.test(name))
    throw new TypeError(
      `${what} cannot be named “${name}”: use at most 40 lowercase letters, digits and hyphens, starting with a letter`,
    );
}

/** Own actions under the names that they have outside the pack, by which they are called, approved and recorded. */
function usesOf(pack: string, { id, uses }: ListedPlaybook, actions: readonly OwnAction[]): ListedPlaybook['uses'] {
  return Object.fromEntries(
    Object.entries(uses).map(([as, used]) => {
      if (!used.own) return [as, used];
      const action = actions.find(({ name }) => name === used.name);
      if (!action)
        throw new TypeError(
          `${pack}/${id} uses ${used.name}, which the pack does not list: definePack({ actions: [${used.name}] })`,
        );
      return [as, ofPack(pack, action)];
    }),
  );
}

function listed(pack: string, playbook: ListedPlaybook, given: Readonly<Record<string, ParamValue>> = {}): ListedPlaybook {
  const id = fullId(pack, playbook);
  const params = { ...playbook.params };
  for (const [name, value] of Object.entries(given)) {
    const of = Object.hasOwn(params, name) ? params[name] : undefined;
    if (!of) throw new TypeError(`${id} has no parameter ${name}`);
    const problem = problemOfParam(of, value);
    if (problem !== undefined) throw new TypeError(`${id}: its parameter ${name} cannot be ${JSON.stringify(value)}: ${problem}`);
    params[name] = withDefault(of, value);
  }
  return { ...playbook, id, ...(playbook.params && { params }) };
}

/** The id of a playbook outside its pack. */
export function fullId(pack: string, { id }: Pick<Playbook, 'id'>): string {
  return `${pack}/${id}`;
}

/** The enabled playbooks. Those for unanswered alerts are always included: a list of playbooks must not silence an alert that somebody forgot. */
export function enabledAmong<P extends AnyPlaybook>(playbooks: readonly P[], enabled: 'all' | readonly string[]): readonly P[] {
  return enabled === 'all' ? playbooks : playbooks.filter(({ id, on }) => enabled.includes(id) || on.match === 'unanswered');
}
