import { condition, defineQuery, defineSignal, proxySinks, type Sinks, setHandler } from '@temporalio/workflow';
import { incidentNames } from '../../../core/incident/incident.ts';

export interface SeenSinks extends Sinks {
  readonly seen: { begun(): void };
}

const { seen } = proxySinks<SeenSinks>();

/** What a dialog and a vote find of an incident; it reports each time that its history is replayed from the beginning. */
export async function asking(): Promise<void> {
  seen.begun();
  let votes = 0;
  setHandler(defineQuery(incidentNames.stateQuery), () => votes);
  setHandler(defineSignal(incidentNames.voteSignal), () => {
    votes += 1;
  });
  await condition(() => votes > 0);
}
