import { type OwnAction, ofPack } from '../action/own-action.ts';
import { type ParamValue, problemOfParam, withDefault } from './params.ts';
import type { AnyPlaybook, Playbook } from './playbook.ts';

/** A playbook in a list: its body is called by the engine only, which makes what it is called with. */
export interface ListedPlaybook extends AnyPlaybook {
  readonly run: (context: never) => Promise<void>;
  /** Of its pack; absent as long as it is in none. */
  readonly version?: string;
}

/** Playbooks that belong together, under a name and a version: what is configured, pinned and published as one. */
export interface Pack {
  readonly name: string;
  readonly version: string;
  /** Under their full ids, `PACK/PLAYBOOK`. */
  readonly playbooks: readonly ListedPlaybook[];
  /** Its own, under their full names, `PACK/ACTION`. */
  readonly actions: readonly OwnAction[];
}

const namePattern = /^[a-z][a-z0-9-]{0,39}$/;

/**
 * A pack, the default export of `firebreak.pack.ts`. Its playbooks are known by its name and theirs: `our-playbooks/miner`.
 *
 * ```ts
 * export default definePack({ name: 'our-playbooks', version: '1.0.0', playbooks: [miner] });
 * ```
 *
 * @throws TypeError for a name that is none, for two playbooks of one id, and for an own action that is used and not listed.
 */
export function definePack(pack: {
  readonly name: string;
  readonly version: string;
  readonly playbooks: readonly ListedPlaybook[];
  /** What `defineAction` has made, and its playbooks use. */
  readonly actions?: readonly OwnAction[];
  /** What parameters are worth here where no configuration sets them, by playbook: in place of the envelopes' own defaults. */
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
    throw new TypeError(`${what} cannot be called “${name}”: small letters, digits and -, at most 40, a letter first`);
}

/** Own actions under the names that they have outside of the pack: by these they are called, approved and recorded. */
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

/** By which a playbook is known outside of its pack. */
export function fullId(pack: string, { id }: Pick<Playbook, 'id'>): string {
  return `${pack}/${id}`;
}

/**
 * Those of the playbooks that are enabled. The ones for what no other answers are always among them: a list of playbooks must not make an alert
 * silent that somebody forgot.
 */
export function enabledAmong<P extends AnyPlaybook>(playbooks: readonly P[], enabled: 'all' | readonly string[]): readonly P[] {
  return enabled === 'all' ? playbooks : playbooks.filter(({ id, on }) => enabled.includes(id) || on.match === 'unanswered');
}
