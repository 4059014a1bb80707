import type { CellActivities } from '../../core/action/step.ts';
import { isIntakeReport, newlyRefused, withIntakeReport } from '../../core/alert/intake-report.ts';
import {
  type ControlActivities,
  type ControlInput,
  type ControlState,
  controlNames,
  type EvidenceActivities,
} from '../../core/decide/control.ts';
import { haltedRunText } from '../../core/incident/begun-again.ts';
import type { SignalsByWorkflow } from '../../core/messages/contract.ts';
import { doneBy } from '../../core/orders/order.ts';
import { isObject } from '../../core/text/plain-json.ts';
import { deskActivities } from '../calls.ts';
import { HandedRecords } from '../handed-records.ts';
import { Outbox } from '../outbox.ts';
import { Votes } from '../questions/votes.ts';
import { recordRefused } from '../refused-messages.ts';
import {
  activitiesWith,
  allHandlersFinished,
  condition,
  continueAsNew,
  nowMs,
  onQuery,
  onRefusedMessages,
  onSignal,
  runInfo,
} from '../world.ts';
import { Decisions } from './control-decisions.ts';
import { EvidenceOrders } from './control-evidence.ts';
import { ControlModel } from './control-model.ts';
import { StormNotices } from './storm-notices.ts';

type Signals = SignalsByWorkflow['control'];

const mostWaiting = 500;

/** Pure checks in the cell, which has the roster and the keys. */
function checksBy({ queues }: ControlInput): ControlActivities & Pick<CellActivities, 'verifyVote'> {
  return activitiesWith<ControlActivities & Pick<CellActivities, 'verifyVote'>>({
    taskQueue: queues.cell,
    startToCloseTimeout: '5s',
    scheduleToCloseTimeout: '10m',
  });
}

/** These read and write the evidence store, which may take a while to answer. */
function keepersBy({ queues }: ControlInput): EvidenceActivities {
  return activitiesWith<EvidenceActivities>({
    taskQueue: queues.cell,
    startToCloseTimeout: '2m',
    scheduleToCloseTimeout: '5m',
  });
}

/**
 * One per cluster, for ever: decisions that apply to all incidents. It takes orders and votes one after another, and decides nothing that the cell does not
 * verify again. Its history is cut when it gets long, and when the cell has a new build.
 */
export async function control(input: ControlInput): Promise<never> {
  const desk = deskActivities(input);
  const model = new ControlModel(input, (ref) => new Outbox(ref, desk.recordAudit));
  const handed = new HandedRecords(model.ref.id, desk.recordAudit, input.carried?.handedRecords);
  const arrived: unknown[] = [];
  let wantedBuild: string | undefined;

  onSignal<Signals['handOver']>(controlNames.handOverSignal, (build) => {
    wantedBuild = build;
  });
  const storms = new StormNotices({
    cluster: input.cluster,
    storm: input.carried?.state.storm,
    show: desk.showNotice,
    record: (kind, text, body) => model.record(kind, 'engine', text, body),
  });
  onSignal<[unknown]>(controlNames.stormSignal, (report) => storms.hear(report));
  let intakes = input.carried?.state.intakes;
  onSignal<[unknown]>(controlNames.intakeSignal, (report) => {
    if (!isIntakeReport(report)) return;
    const counts = newlyRefused(intakes ?? [], report);
    intakes = withIntakeReport(intakes ?? [], report);
    if (Object.keys(counts).length === 0) return;
    const { source, since: from, at: until } = report;
    const text = `the intake refused requests: ${Object.entries(counts)
      .map(([reason, times]) => `${times} × ${reason}`)
      .join(', ')}`;
    model.record('door.refused', 'engine', text, { door: 'intake', source, counts, from, until });
  });
  const snapshot = (): ControlState => ({
    ...model.snapshot(handed.keys),
    ...(storms.storm && { storm: storms.storm }),
    ...(intakes && { intakes }),
  });
  onQuery(controlNames.stateQuery, snapshot);
  onRefusedMessages((refused) => recordRefused(model, refused));

  const cell = checksBy(input);
  const decisions = new Decisions(model, desk, cell);
  const votes = new Votes({
    home: model,
    desk,
    cell: () => {
      // Nobody can decide on what is over, even while an earlier order waits for the cell.
      decisions.expire();
      return cell;
    },
    counted: (vote) => decisions.counted(vote),
  });
  const evidence = new EvidenceOrders(model, keepersBy(input));
  onSignal<[unknown]>(controlNames.voteSignal, (vote) => votes.receive(vote));
  onSignal<[unknown]>(controlNames.orderSignal, (order) => {
    if (isAboutKept(order)) evidence.hear({ kind: 'order', value: order });
    else if (arrived.length < mostWaiting) arrived.push(order);
  });
  const setAside = new Set<string>();
  onSignal<Signals['setAside']>(controlNames.setAsideSignal, (report) => {
    const { incident, playbooks, contained } = report;
    // A cell that had no answer sends it again.
    if (setAside.has(incident.run)) return;
    setAside.add(incident.run);
    model.record('incident.set-aside', 'engine', haltedRunText({ ...report, cluster: input.cluster }), {
      incident: incident.id,
      run: incident.run,
      ...(playbooks && { playbooks }),
      contained,
    });
  });
  onSignal<Signals['expireEvidence']>(controlNames.expireEvidenceSignal, () => evidence.hear({ kind: 'expire' }));
  onSignal<Signals['recall']>(controlNames.recallSignal, (known) => {
    decisions.recall(known);
    handed.hear(known.records ?? []);
  });
  decisions.recall({ decided: [], ended: [], proposed: input.proposed ?? [] });
  decisions.showDecided(input.restored ?? []);
  for (const card of input.carried?.cards ?? []) decisions.cards.show(card);
  void model.outbox.run();
  void handed.run();
  void storms.run();
  void evidence.run();
  void votes.run();
  const mustHandOver = (): boolean => wantedBuild !== undefined && wantedBuild !== runInfo().currentDeploymentVersion?.buildId;
  const mayCarryOn = (): boolean =>
    model.outbox.canBeCarried && handed.canBeCarried && storms.isIdle && evidence.isIdle && !votes.unread && arrived.length === 0;

  for (;;) {
    const left = model.nextEnd - nowMs();
    const due = () => arrived.length > 0 || ((mustHandOver() || runInfo().continueAsNewSuggested) && mayCarryOn());
    // The server's longest timer is not infinite.
    await condition(due, Math.min(Math.max(left, 1), 86_400_000));
    decisions.expire();
    if (arrived.length > 0) {
      await decisions.take(arrived[0]);
      arrived.shift();
    } else if (due()) {
      await condition(allHandlersFinished);
      if (arrived.length > 0 || votes.unread) continue;
      const { restored: _, proposed: __, ...lasting } = input;
      await continueAsNew<ControlInput>(
        {
          ...lasting,
          carried: { ...model.carry(snapshot()), handedRecords: handed.carried, cards: decisions.cards.unshown },
        },
        mustHandOver() ? { initialVersioningBehavior: 'AUTO_UPGRADE' } : {},
      );
    }
  }
}

/** By the kind that it claims: the cell verifies it in either case. */
function isAboutKept(signed: unknown): boolean {
  const kind = isObject(signed) && isObject(signed.order) ? signed.order.kind : undefined;
  return typeof kind === 'string' && Object.hasOwn(doneBy, kind);
}
