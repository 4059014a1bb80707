import { quarantinePod } from '../../core/actions/index.ts';
import type { Alert } from '../../core/alert/alert.ts';
import { worse } from '../../core/alert/severity.ts';
import { isAskedAbout, isContainedAtOnce } from '../../core/assessment/contained-at-once.ts';
import type { PodContainment } from '../../core/playbook/playbook.ts';
import type { Caller, StepOrder } from '../steps/step-calls.ts';
import type { BodyWork } from './body-work.ts';
import type { Body, IncidentModel } from './model.ts';

interface AtOnceParts {
  readonly model: IncidentModel;
  readonly body: Body;
  readonly work: BodyWork;
  readonly caller: Caller;
  readonly run: (order: StepOrder) => Promise<unknown>;
}

/**
 * Prepares a body whose pod may be contained at once, and contains it if its alert is reason enough, or if the pod has been contained at once for another body.
 * From then on any alert can contain it, whatever the body does by then: no body can forget it, and no open question can keep it from happening.
 */
export function mayContain(parts: AtOnceParts): void {
  const { model, body } = parts;
  const { alert } = body;
  body.containAtOnce = (because) => containAtOnce(parts, because);
  // What is only filed has no part in it: nobody would be asked whether its part may end.
  if (!isAskedAbout(body.strongest)) return;
  const before = othersOn(model, body).find(({ contained }) => contained && model.isHolding(contained.done.leaseId));
  if (isContainedAtOnce(alert)) body.containAtOnce(alert);
  else if (before?.contained) body.containAtOnce(before.contained.because);
}

/** Once, except that an alert in doubt, about which people are asked first, keeps no other alert from containing the pod. */
function containAtOnce({ model, body, work, caller, run }: AtOnceParts, because: Alert): void {
  const { pod, workload, doubt } = because;
  const { containment } = body;
  if (pod?.uid === undefined || body.contained || (containment && (!containment.isInDoubt || doubt !== undefined))) return;
  const { namespace, name, uid } = pod;
  body.severity = worse(body.severity, because.severity);
  work.acts(`the containment of pod/${namespace}/${name}`);
  const result = run({
    caller: { ...caller, workload, alert: because, doubt },
    declaration: quarantinePod,
    input: { pod: { namespace, name, uid } },
    lease: {},
  }) as Promise<PodContainment>;
  body.containment = { result, isInDoubt: doubt !== undefined };
  result.then(
    (done) => {
      body.contained ??= { done, because };
      for (const other of othersOn(model, body))
        if (other.state.state === 'running' && isAskedAbout(other.strongest)) other.containAtOnce?.(because);
    },
    // It is on record as a failed step, and people are asked what they were asked before.
    () => undefined,
  );
}

function othersOn(model: IncidentModel, body: Body): readonly Body[] {
  return [...model.bodies.values()].filter((other) => other !== body && other.state.subjectKey === body.state.subjectKey);
}

/** Why an open question about containing the pod has become pointless. */
export function whyContained({ contained }: Body): string | undefined {
  if (!contained) return undefined;
  const { rule, severity } = contained.because;
  return `the pod was contained at once because of “${rule}” (${severity}): what was answered before does not count`;
}
