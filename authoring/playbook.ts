/**
 * `firebreak/playbook`: everything that you need to write a playbook.
 *
 * ```ts
 * import { snapshotPodState } from 'firebreak/actions'; import { definePlaybook } from 'firebreak/playbook';
 * ```
 */
export type { Verification } from '../core/action/action.ts';
export type { Effect, Plan, Reach } from '../core/action/plan.ts';
export type { Alert } from '../core/alert/alert.ts';
export type { Severity } from '../core/alert/severity.ts';
export type { ActKind } from '../core/assessment/rules/act-kinds.ts';
export type { Approval } from '../core/decide/approval.ts';
export { type Form, type FormAnswers, type FormField, type FormValue, field, type TypedField } from '../core/decide/form.ts';
export type { EvidenceRef } from '../core/evidence/evidence.ts';
export type { Verdict } from '../core/incident/incident.ts';
export { type Duration, durationMs } from '../core/playbook/duration.ts';
export { type Glob, glob, type Match, type OneOrMore, type Regex, regex, type TextPattern } from '../core/playbook/match.ts';
export { definePack, type ListedPlaybook, type Pack } from '../core/playbook/pack.ts';
export { type Param, type Params, type ParamValue, type ParamValues, param } from '../core/playbook/params.ts';
export {
  type AlertWith,
  type Answer,
  type AskedGroup,
  type AskOptions,
  type BodyIncident,
  definePlaybook,
  type LeaseOptions,
  type LogFields,
  type Playbook,
  type PlaybookContext,
  type PlaybookEnd,
  type PlaybookEnvelope,
  type Requires,
  type RunnablePlaybook,
  type Settled,
  type Slept,
  type StepResult,
  type Steps,
  type Uses,
} from '../core/playbook/playbook.ts';
