import { Context } from '@temporalio/activity';

const heartbeatMs = 1_000;

/**
 * While the work goes on the server hears every second that this process lives: what a lost one had in hand is given to another soon.
 * @param at what it says besides: how far the work is
 */
export async function withHeartbeat<Result>(
  work: () => Promise<Result>,
  at: () => string | undefined = () => undefined,
): Promise<Result> {
  const { heartbeat } = Context.current();
  const beat = setInterval(() => heartbeat(at()), heartbeatMs);
  try {
    return await work();
  } finally {
    clearInterval(beat);
  }
}

type Work = (...args: never[]) => Promise<unknown>;

/** The same activities, each of which says that it lives. */
export function withHeartbeats<Activities extends { readonly [Name in keyof Activities]: Work }>(
  activities: Activities,
): Activities {
  const living = Object.entries<Work>(activities).map(([name, work]) => [
    name,
    (...args: never[]) => withHeartbeat(() => work(...args)),
  ]);
  // Under the same names, with the same parameters and results.
  return Object.fromEntries(living) as Activities;
}
