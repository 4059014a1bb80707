import type { IncidentState } from '../../core/incident/incident-state.ts';

/** Entries of `now` that are not in `before`. The timeline is bounded, so its length is no indication. */
export function newEntries(
  before: Pick<IncidentState, 'timeline'> | undefined,
  now: Pick<IncidentState, 'timeline'>,
): IncidentState['timeline'] {
  const last = before?.timeline.at(-1);
  if (!last) return now.timeline;
  const same = JSON.stringify(last);
  const seen = now.timeline.findLastIndex((entry) => JSON.stringify(entry) === same);
  return seen === -1 ? now.timeline.filter((entry) => entry.at > last.at) : now.timeline.slice(seen + 1);
}
