import type { AnyPlaybook, Playbook } from './playbook.ts';

/** A playbook in a list: its body is called by the engine only, which makes what it is called with. */
export interface ListedPlaybook extends AnyPlaybook {
  readonly run: (context: never) => Promise<void>;
}

/** Playbooks that belong together, under a name and a version: what is configured, pinned and published as one. */
export interface Pack {
  readonly name: string;
  readonly version: string;
  /** Under their full ids, `PACK/PLAYBOOK`. */
  readonly playbooks: readonly ListedPlaybook[];
}

const namePattern = /^[a-z][a-z0-9-]{0,39}$/;

/**
 * A pack, the default export of `firebreak.pack.ts`. Its playbooks are known by its name and theirs: `our-playbooks/miner`.
 *
 * ```ts
 * export default definePack({ name: 'our-playbooks', version: '1.0.0', playbooks: [miner] });
 * ```
 *
 * @throws TypeError for a name that is none, and for two playbooks of one id.
 */
export function definePack(pack: {
  readonly name: string;
  readonly version: string;
  readonly playbooks: readonly ListedPlaybook[];
}): Pack {
  const { name, version, playbooks } = pack;
  mustBeName(name, 'a pack');
  for (const [index, { id }] of playbooks.entries()) {
    mustBeName(id, `a playbook of the pack ${name}`);
    if (playbooks.findIndex((other) => other.id === id) < index) throw new TypeError(`the pack ${name} has two playbooks ${id}`);
  }
  return { name, version, playbooks: playbooks.map((playbook) => ({ ...playbook, id: fullId(name, playbook) })) };
}

function mustBeName(name: string, what: string): void {
  if (!namePattern.test(name))
    throw new TypeError(`${what} cannot be called “${name}”: small letters, digits and -, at most 40, a letter first`);
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
