import type { Alert } from '../../../core/alert/alert.ts';
import { atLeast } from '../../../core/alert/severity.ts';
import { ruleConfidence } from '../../../core/assessment/rule-confidence.ts';
import type { Noisy } from './summary.ts';

/** A text to paste, or why there is none. */
export interface Proposal {
  readonly where: string;
  readonly text: string;
}

/** The names are the attacker's as well: only plain ones are pasted anywhere. */
const plain = /^[\w][\w .:/()@+,-]{0,200}$/;

/** What would silence a noisy workload: a suppression of exactly its rule and image, or an exception in Falco if the log has no image digest. */
export function workloadProposal({ mainly, upTo }: Noisy): Proposal {
  const refused = refusal(mainly);
  if (refused) return refused;
  const { rule, workload, container } = mainly;
  const digest = container?.digest;
  if (workload && digest !== undefined && /^sha256:[0-9a-f]{64}$/.test(digest)) {
    const name = `${workload.namespace}/${workload.kind}/${workload.name}`;
    return {
      where: 'a suppression, which a second person approves',
      text: `firebreak suppress add --rule "${rule}" --workload "${name}" --digest ${digest} --up-to ${hideUpTo(upTo)} --days 14 --reason "usual, by firebreak assess" --as YOU --key YOUR-KEY.pem`,
    };
  }
  const image = container?.image?.replace(/@.*$/, '').replace(/:[^/:]*$/, '');
  if (mainly.sensor === 'falco' && workload && image !== undefined && plain.test(image))
    return {
      where: 'Falco’s own rules: the log has no image digest, which a suppression needs',
      text: [
        `- rule: ${rule}`,
        `  condition: and not (k8s.ns.name = "${workload.namespace}" and container.image.repository = "${image}")`,
        '  override:',
        '    condition: append',
      ].join('\n'),
    };
  return severityProposal(mainly);
}

/** What would make a noisy rule quiet everywhere: its severity, in the configuration. */
export function ruleProposal(noisy: Noisy): Proposal {
  // A grave rule stays grave elsewhere: only its noisiest workload is silenced.
  if (atLeast(noisy.upTo, 'high')) return workloadProposal(noisy);
  return refusal(noisy.mainly) ?? severityProposal(noisy.mainly);
}

function severityProposal({ sensor, rule }: Alert): Proposal {
  return {
    where: 'firebreak.yaml',
    text: `sensors:\n  ${sensor}:\n    severities:\n      "${rule}": info`,
  };
}

/** A rule that is sure, or a critical one, is not silenced for being frequent. */
function refusal(alert: Alert): Proposal | undefined {
  const { rule, workload, sensor } = alert;
  if (![rule, sensor, ...(workload ? [workload.namespace, workload.kind, workload.name] : [])].every((name) => plain.test(name)))
    return { where: 'nothing to paste', text: 'its names have characters that are not safe to paste' };
  if (ruleConfidence(alert).confidence === 'sure')
    return { where: 'nothing to paste', text: 'the rule is sure: find out what causes it' };
  return undefined;
}

function hideUpTo(severity: Alert['severity']): string {
  if (severity === 'unknown') return 'info';
  return atLeast(severity, 'critical') ? 'critical' : severity;
}
