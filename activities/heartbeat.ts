import { Context } from '@temporalio/activity';

const heartbeatMs = 1_000;

/**
 * While the work runs, the server hears every second that this process is alive: the work of a lost process is soon given to another.
 * @param at what the heartbeat also reports: how far the work is
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

/** The same activities, each with heartbeats. */
export function withHeartbeats<Activities extends { readonly [Name in keyof Activities]: Work }>(
  activities: Activities,
): Activities {
  const living = Object.entries<Work>(activities).map(([name, work]) => [
    name,
    (...args: never[]) => withHeartbeat(() => work(...args)),
  ]);
  // The names, parameters and results are the same.
  return Object.fromEntries(living) as Activities;
}
