import { postureLines } from '../../core/cluster/posture.ts';
import type { AlertBatch } from '../../core/incident/incident.ts';
import { lookActivities, stepFailure } from '../calls.ts';
import { sleep } from '../world.ts';
import type { IncidentModel } from './model.ts';

/** The first containment goes first. If a pod is gone by then, the other pods of its workload show the same. */
const afterMs = 1_000;

/** When an incident opens, the cell reads its workload's permissions for the record: they may change later. Nothing is decided by it. */
export class PostureLook {
  readonly #model: IncidentModel;
  readonly #changed: () => void;

  constructor(model: IncidentModel, changed: () => void) {
    this.#model = model;
    this.#changed = changed;
  }

  begin({ alerts }: AlertBatch): void {
    const { settings, subject } = this.#model;
    if (settings.posture !== true || subject.kind !== 'workload') return;
    const pod = alerts.find((alert) => alert.pod?.uid !== undefined)?.pod;
    void this.#model.during(this.#look(pod));
  }

  async #look(named: AlertBatch['alerts'][number]['pod']): Promise<void> {
    await sleep(afterMs);
    const model = this.#model;
    const { ref, settings, priority } = model;
    const { namespace, name, uid } = named ?? {};
    const pod = namespace !== undefined && name !== undefined && uid !== undefined && { namespace, name, uid };
    try {
      const posture = await lookActivities(settings, priority).lookAtPosture({ incident: ref, ...(pod && { pod }) });
      model.posture = posture;
      const lines = postureLines(posture);
      model.record('posture.found', 'engine', lines[0] ?? '', { posture, lines });
      this.#changed();
    } catch (error) {
      model.record('posture.found', 'engine', `what the workload may do is not known: ${stepFailure(error).message}`);
    }
  }
}
