import {
  allHandlersFinished,
  condition,
  defineQuery,
  defineSignal,
  makeContinueAsNewFunc,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow';
import { type ControlInput, type ControlState, controlNames, type EvidenceActivities } from '../../core/decide/control.ts';
import { deskActivities } from '../calls.ts';
import { onRefusedMessages, recordRefused, trustedActivities } from '../messages.ts';
import { Outbox } from '../outbox.ts';
import { type Arrived, type Checks, Decisions } from './control-decisions.ts';
import { EvidenceOrders } from './control-evidence.ts';
import { ControlModel } from './control-model.ts';
import { StormNotices } from './storm-notices.ts';

const proposeSignal = defineSignal<[unknown]>(controlNames.proposeSignal);
const endSignal = defineSignal<[unknown]>(controlNames.endSignal);
const voteSignal = defineSignal<[unknown]>(controlNames.voteSignal);
const stormSignal = defineSignal<[unknown]>(controlNames.stormSignal);
const readSignal = defineSignal<[unknown]>(controlNames.readSignal);
const evidenceSignal = defineSignal<[unknown]>(controlNames.evidenceSignal);
const expireEvidenceSignal = defineSignal(controlNames.expireEvidenceSignal);
const startIncidentSignal = defineSignal<[unknown]>(controlNames.startIncidentSignal);
const handOverSignal = defineSignal<[string]>(controlNames.handOverSignal);
const stateQuery = defineQuery<ControlState>(controlNames.stateQuery);

const mostWaiting = 500;

/** Pure checks in the cell; roster and keys are there. */
function checksBy({ queues }: ControlInput): Checks {
  return trustedActivities<Checks>({ taskQueue: queues.cell, startToCloseTimeout: '5s', scheduleToCloseTimeout: '10m' });
}

/** They read and write the evidence store, whose answers may take a while. */
function keepersBy({ queues }: ControlInput): EvidenceActivities {
  return trustedActivities<EvidenceActivities>({
    taskQueue: queues.cell,
    startToCloseTimeout: '2m',
    scheduleToCloseTimeout: '5m',
  });
}

/**
 * One per cluster, for ever: what is decided above all incidents. Orders and votes are taken one after another; it decides nothing that the
 * cell does not prove again. Its history is cut when it is long, and when the cell has a new build.
 */
export async function control(input: ControlInput): Promise<never> {
  const desk = deskActivities(input);
  const model = new ControlModel(input, (ref) => new Outbox(ref, desk.recordAudit));
  const arrived: Arrived[] = [];
  let wantedBuild: string | undefined;

  const take = (kind: Arrived['kind']) => (value: unknown) => {
    if (arrived.length < mostWaiting) arrived.push({ kind, value });
  };
  setHandler(proposeSignal, take('propose'));
  setHandler(endSignal, take('end'));
  setHandler(voteSignal, take('vote'));
  setHandler(readSignal, take('read'));
  setHandler(startIncidentSignal, take('start'));
  setHandler(handOverSignal, (build) => {
    wantedBuild = build;
  });
  const storms = new StormNotices({
    cluster: input.cluster,
    storm: input.carried?.state.storm,
    show: desk.showNotice,
    record: (kind, text, body) => model.record(kind, 'engine', text, body),
  });
  setHandler(stormSignal, (report) => storms.hear(report));
  const snapshot = (): ControlState => ({ ...model.snapshot(), ...(storms.storm && { storm: storms.storm }) });
  setHandler(stateQuery, snapshot);
  onRefusedMessages((refused) => recordRefused(model, refused));

  const decisions = new Decisions(model, desk, checksBy(input));
  const evidence = new EvidenceOrders(model, keepersBy(input));
  setHandler(evidenceSignal, (value) => evidence.hear({ kind: 'order', value }));
  setHandler(expireEvidenceSignal, () => evidence.hear({ kind: 'expire' }));
  void model.outbox.run();
  void storms.run();
  void evidence.run();
  const mustHandOver = (): boolean =>
    wantedBuild !== undefined && wantedBuild !== workflowInfo().currentDeploymentVersion?.buildId;
  const mayCarryOn = (): boolean => model.outbox.canBeCarried && storms.isIdle && evidence.isIdle && arrived.length === 0;

  for (;;) {
    const left = model.nextEnd - Date.now();
    const due = () => arrived.length > 0 || ((mustHandOver() || workflowInfo().continueAsNewSuggested) && mayCarryOn());
    // The longest timer of the server is shorter than for ever.
    await condition(due, Math.min(Math.max(left, 1), 86_400_000));
    decisions.expire();
    const next = arrived[0];
    if (next) {
      await decisions.take(next);
      arrived.shift();
    } else if (due()) {
      await condition(allHandlersFinished);
      if (arrived.length > 0) continue;
      const carryOn = makeContinueAsNewFunc<typeof control>(mustHandOver() ? { initialVersioningBehavior: 'AUTO_UPGRADE' } : {});
      const { restored: _, ...lasting } = input;
      await carryOn({ ...lasting, carried: { ...model.carry(), state: snapshot() } });
    }
  }
}
