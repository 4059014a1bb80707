import { peopleKnownAs, type Roster } from '../people/roster.ts';
import { actorsOf } from './alert.ts';
import type { ResolvedAlert, SubjectResolver } from './subject-resolver.ts';

/** Wraps a resolver so that it also says which people of the roster an alert names as the actor, before anything is merely counted. */
export function namingActors(resolver: SubjectResolver, roster: Roster): SubjectResolver {
  return {
    resolve: (alert): ResolvedAlert => {
      const resolved = resolver.resolve(alert);
      const actors = [...new Set([...(alert.actors ?? []), ...peopleKnownAs(roster, actorsOf(alert))])];
      return actors.length === 0 ? resolved : { ...resolved, alert: { ...resolved.alert, actors } };
    },
  };
}
