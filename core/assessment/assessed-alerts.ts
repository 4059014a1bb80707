import { isSeverity, type Severity } from '../alert/severity.ts';
import { isObject } from '../text/plain-json.ts';
import { type Assessment, modes, profiles, responses } from './response.ts';

/** An alert on record, with what its cell made of it. */
export interface AssessedAlert {
  readonly id: string;
  readonly rule: string;
  readonly severity: Severity;
  readonly pod?: { readonly namespace: string; readonly name: string; readonly uid?: string };
  readonly doubt?: string;
  readonly assessment: Omit<Assessment, 'seal'>;
}

/** The alerts of a record of the kind `incident.opened` or `alert.joined` that were assessed. It may be of another version: what cannot be read is left out. */
export function assessedAlertsIn({ alerts }: Readonly<Record<string, unknown>>): readonly AssessedAlert[] {
  return (Array.isArray(alerts) ? alerts : []).flatMap((one: unknown) => {
    if (!isObject(one) || typeof one.id !== 'string' || typeof one.rule !== 'string') return [];
    const assessment = assessmentIn(one.assessment);
    if (!assessment) return [];
    const pod = podIn(one.pod);
    return [
      {
        id: one.id,
        rule: one.rule,
        severity: isSeverity(one.severity) ? one.severity : 'unknown',
        ...(pod && { pod }),
        ...(typeof one.doubt === 'string' && { doubt: one.doubt }),
        assessment,
      },
    ];
  });
}

function assessmentIn(value: unknown): Omit<Assessment, 'seal'> | undefined {
  if (!isObject(value)) return undefined;
  const response = responses.find((known) => known === value.response);
  const would = responses.find((known) => known === value.would);
  const mode = modes.find((known) => known === value.mode);
  const profile = profiles.find((known) => known === value.profile);
  if (!response || !would || !mode || !profile) return undefined;
  return {
    ...{ response, would, mode, profile },
    pages: value.pages === true,
    wouldPage: value.wouldPage === true,
    scope: typeof value.scope === 'string' ? value.scope : '',
    onSilence: value.onSilence === 'contain' ? 'contain' : 'nothing',
    ...(typeof value.heldBack === 'string' && { heldBack: value.heldBack }),
    reasons: Array.isArray(value.reasons) ? value.reasons.filter((reason) => typeof reason === 'string') : [],
  };
}

function podIn(value: unknown): AssessedAlert['pod'] {
  if (!isObject(value) || typeof value.namespace !== 'string' || typeof value.name !== 'string') return undefined;
  const { namespace, name, uid } = value;
  return { namespace, name, ...(typeof uid === 'string' && { uid }) };
}

/** The smaller, the more would be done: what is held back is less than what is not. */
function rankOf({ assessment: { would, heldBack } }: AssessedAlert): number {
  return responses.indexOf(would) + (heldBack === undefined ? 0 : 0.5);
}

/** For each pod, the alert that would have the strongest response; the first of several. Those that are about no pod are compared together. */
export function strongestByPod(alerts: readonly AssessedAlert[]): readonly AssessedAlert[] {
  const strongest = new Map<string, AssessedAlert>();
  for (const alert of alerts) {
    const { pod } = alert;
    const key = pod ? (pod.uid ?? `${pod.namespace}/${pod.name}`) : '';
    const known = strongest.get(key);
    if (!known || rankOf(alert) < rankOf(known)) strongest.set(key, alert);
  }
  return [...strongest.values()];
}
