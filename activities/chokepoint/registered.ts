import type { ActionImplementation, InputOf, OutputOf, Pool } from '../../core/action/action.ts';
import { actions, type DeclaredAction } from '../../core/actions/index.ts';
import { actionInputs } from '../../core/actions/inputs.schema.ts';
import type { RegisteredAction } from './parts.ts';

/** The implementation of each action of a pool, by name: the compiler reports any whose declaration names this pool but that is missing here. */
export type PoolImplementations<P extends Pool> = {
  readonly [A in Extract<DeclaredAction, { readonly pool: P }> as A['name']]: ActionImplementation<InputOf<A>, OutputOf<A>>;
};

/** The actions of a pool as the chokepoint runs them, without opt-in actions that the configuration does not name. */
export function registeredActions<P extends Pool>({
  pool,
  implementations,
  optIn,
}: {
  readonly pool: P;
  readonly implementations: PoolImplementations<P>;
  /** Names of the opt-in actions that the configuration turns on. */
  readonly optIn: readonly string[];
}): readonly RegisteredAction[] {
  // The chokepoint checks the input by its schema before it calls: so the types end here.
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
