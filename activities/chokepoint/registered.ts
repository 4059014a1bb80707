import type { ActionImplementation, InputOf, OutputOf, Pool } from '../../core/action/action.ts';
import { actions, type DeclaredAction } from '../../core/actions/index.ts';
import { actionInputs } from '../../core/actions/inputs.schema.ts';
import type { RegisteredAction } from './parts.ts';

/** What does each action of a pool, by its name: the compiler names the one whose declaration says this pool, and that is not among them. */
export type PoolImplementations<P extends Pool> = {
  readonly [A in Extract<DeclaredAction, { readonly pool: P }> as A['name']]: ActionImplementation<InputOf<A>, OutputOf<A>>;
};

/** The actions of a pool as the chokepoint runs them, without those that are off until the configuration names them. */
export function registeredActions<P extends Pool>({
  pool,
  implementations,
  optIn,
}: {
  readonly pool: P;
  readonly implementations: PoolImplementations<P>;
  /** Names of those that the configuration turns on. */
  readonly optIn: readonly string[];
}): readonly RegisteredAction[] {
  // The chokepoint checks the input by its schema before it calls: here their types end.
  const byName = new Map(Object.entries(implementations as Readonly<Record<string, ActionImplementation<unknown, unknown>>>));
  return actions
    .filter(({ name, pool: own, optIn: isOptIn }) => own === pool && (!isOptIn || optIn.includes(name)))
    .map((declaration) => {
      const { name } = declaration;
      const [input, implementation] = [actionInputs[name], byName.get(name)];
      if (!input || !implementation) throw new Error(`the pool ${pool} has nothing that does ${name}`);
      return { declaration, input, implementation };
    });
}
