import type { Alert } from '../../core/alert/alert.ts';
import { ownRules, ownSensor } from '../../core/alert/own-alerts.ts';
import { conditionKey } from '../../core/playbook/match-alert.ts';
import { matchesOf } from '../../core/playbook/timed-conditions.ts';
import { ruleSets } from '../../core/rules/known-rules.ts';
import { playbooks } from '../../playbooks/index.ts';
import { alertOfRule } from '../../service/coverage/payloads.ts';
import { exampleAlert } from '../../testing/example-alert.ts';
import { assessedAs } from '../fixtures/assessed.ts';

const all = ruleSets.flatMap(({ rules }) => rules);

/** The alert that a rule of the public rule sets raises, with an address and a program, so that playbooks have something to name. */
export function alertOf(rule: string, over: Partial<Alert> = {}, place?: 'pod' | 'node'): Alert {
  const known = all.find(({ name }) => name === rule);
  const alert = known && alertOfRule(known, place ?? known.places[0] ?? 'pod');
  if (!alert) throw new Error(`no rule set has “${rule}”`);
  return {
    ...alert,
    title: 'seen',
    process: { name: 'sh', parent: 'nginx', user: 'www-data' },
    observables: [{ type: 'ip', value: '203.0.113.7' }],
    ...over,
  };
}

/** An alert from the API server's audit, which is in no one else's rule set. */
export function auditAlert(rule: string, over: Partial<Alert> = {}): Alert {
  const { pod: _, workload: __, ...rest } = alertOf('Terminal shell in container');
  return {
    ...rest,
    sensor: 'kubernetes-audit',
    rule,
    severity: 'high',
    apiRequest: { account: 'mallory', verb: 'create' },
    ...over,
  };
}

/** An alert that Firebreak itself raises. */
function ownAlert(rule: string, over: Partial<Alert>): Alert {
  return { ...alertOf('Terminal shell in container'), sensor: ownSensor, rule, title: 'Ada ordered it', ...over };
}

/** The cell's count of what the playbook counts. */
function countsOf(name: string, times: number): Readonly<Record<string, number>> {
  const counted = matchesOf(playbooks.filter(({ id }) => id === `firebreak/${name}`)).filter(({ count }) => count);
  return Object.fromEntries(counted.map((match) => [conditionKey(match), times]));
}

/** Fields from a cloud's log: who did it, and from where. */
const outside = {
  observables: [
    { type: 'user', value: 'mallory' },
    { type: 'ip', value: '203.0.113.7' },
  ],
} as const;

/** The alert that a scheduled playbook is due. */
function dueAlert(name: string): Alert {
  const playbook = playbooks.find(({ id }) => id === `firebreak/${name}`);
  const alert = playbook && exampleAlert(playbook);
  if (!alert) throw new Error(`there is no ${name}`);
  return alert;
}

const { pod, workload } = alertOf('Terminal shell in container');

/** The same alert, of a pod that is to be cut off. */
const contained = (alert: Alert): Alert => ({ ...alert, assessment: assessedAs('contain') });

const ways: Readonly<Record<string, readonly Alert[]>> = {
  'contain-dropped-binary': [alertOf('Drop and execute new binary in container')],
  'ask-about-shell': [alertOf('Terminal shell in container'), contained(alertOf('Terminal shell in container'))],
  'ticket-sensitive-read': [alertOf('Read sensitive file untrusted')],
  'ask-about-new-binary': [alertOf('Execution from /dev/shm'), contained(alertOf('Execution from /dev/shm'))],
  'contain-container-escape': [
    alertOf('Detect release_agent File Container Escapes'),
    alertOf('Mount Launched in Privileged Container'),
  ],
  'ask-about-kernel-change': [alertOf('hooked_syscall_detector'), alertOf('Linux Kernel Module Injection Detected')],
  'contain-reverse-shell': [alertOf('Reverse Shell from Web Server'), alertOf('Netcat Remote Code Execution in Container')],
  'contain-exploited-application': [alertOf('Web Server Spawned Shell'), alertOf('DB program spawned process')],
  'ask-about-credential-search': [
    alertOf('Find AWS Credentials', { severity: 'critical' }),
    alertOf('Search Private Keys or Passwords'),
  ],
  'ask-about-metadata-service': [
    alertOf('Contact EC2 Instance Metadata Service From Container'),
    contained(alertOf('Contact EC2 Instance Metadata Service From Container')),
  ],
  'ask-about-kubernetes-api': [alertOf('Kubernetes Client Tool Launched in Container'), alertOf('k8s_service_account_token')],
  'contain-process-injection': [
    alertOf('PTRACE attached to process', { severity: 'critical' }),
    alertOf('PTRACE attached to process'),
    alertOf('aslr_inspection'),
  ],
  'stop-destruction': [alertOf('Remove Bulk Data from Disk', { severity: 'critical' }), alertOf('Remove Bulk Data from Disk')],
  'ask-about-network-tools': [
    alertOf('Launch Suspicious Network Tool in Container'),
    contained(alertOf('Launch Suspicious Network Tool in Container')),
  ],
  'ask-about-installed-tools': [
    alertOf('Launch Package Management Process in Container'),
    alertOf('Decoding Payload in Container'),
    contained(alertOf('Decoding Payload in Container')),
  ],
  'ask-about-exfiltration': [
    alertOf('Launch Remote File Copy Tools in Container', { severity: 'critical' }),
    alertOf('Launch Remote File Copy Tools in Container'),
  ],
  'ask-about-persistence': [alertOf('Write below etc', { severity: 'critical' }), alertOf('Schedule Cron Jobs')],
  'contain-privilege-escalation': [alertOf('Sudo Potential Privilege Escalation'), alertOf('Non sudo setuid')],
  'contain-cryptominer': [
    alertOf('Known Cryptominer Process Executed'),
    alertOf('Known Cryptominer Process Executed', { severity: 'high' }),
  ],
  'ticket-policy-violation': [alertOf('file-monitoring'), alertOf('file-monitoring', { tags: ['enforced'] }), alertOf('accept')],
  'ask-about-risky-pod': [
    auditAlert('Pod that opens the node', { ...(workload && { workload }) }),
    auditAlert('Pod that opens the node', { ...(workload && { workload: { ...workload, guessed: true } }) }),
    alertOf('Launch Privileged Container'),
  ],
  'ask-about-exec': [
    auditAlert('Exec into pod', { severity: 'medium', ...(pod && { pod }), ...(workload && { workload }) }),
    auditAlert('Port forward to pod', { severity: 'low', ...(pod && { pod }), ...(workload && { workload }) }),
  ],
  'ask-about-secret-reads': [
    auditAlert('Secrets of all namespaces listed'),
    auditAlert('Secret read', { severity: 'low', facts: { counts: countsOf('ask-about-secret-reads', 30) } }),
  ],
  'ticket-api-change': [
    auditAlert('Service opened on every node', { severity: 'low' }),
    auditAlert('RBAC of a namespace changed', { severity: 'low' }),
    auditAlert('Create Disallowed Namespace', {
      severity: 'medium',
      apiRequest: { account: 'mallory', verb: 'create', resource: 'namespaces', name: 'odd' },
    }),
    auditAlert('Service opened to the outside', {
      severity: 'medium',
      apiRequest: { account: 'mallory', verb: 'create', resource: 'services', namespace: 'shop', name: 'cart' },
    }),
  ],
  'ask-about-cloud-change': [
    alertOf('Deactivate MFA for Root User', outside),
    alertOf('CloudTrail Logging Disabled', { ...outside, observables: [] }),
    alertOf('Create Deploy Key', outside),
  ],
  'ask-about-granted-rights': [auditAlert('Cluster administrator bound')],
  'ask-about-deletion': [auditAlert('Namespace deleted', { severity: 'medium' })],
  'answer-node-compromise': [
    alertOf('Run shell untrusted', { severity: 'high' }, 'node'),
    alertOf('Run shell untrusted', {}, 'node'),
  ],
  'ask-about-unsigned-image': [
    alertOf('Packet socket created in container'),
    contained(alertOf('Packet socket created in container')),
  ],
  'quarantine-on-order': [ownAlert(ownRules.quarantine, { severity: 'critical' })],
  'ask-about-started-incident': [ownAlert(ownRules.look, { severity: 'low' })],
  'ask-about-silent-sensor': [ownAlert(ownRules.silentSensor, { severity: 'critical' })],
  'remind-of-rotation': [dueAlert('remind-of-rotation')],
  'drill-quarantine': [dueAlert('drill-quarantine')],
  'contain-unanswered': [alertOf('Terminal shell in container', { rule: 'Nobody knows this', severity: 'critical' })],
  'ask-about-unanswered': [alertOf('Terminal shell in container', { rule: 'Nobody knows this', severity: 'high' })],
  'ticket-unanswered': [
    alertOf('Terminal shell in container', { rule: 'Nobody knows this', severity: 'medium' }),
    alertOf('Terminal shell in container', { rule: 'Nobody knows this', severity: 'high' }),
  ],
};

/** Playbook (without its pack) → alerts that take different ways through it: as a cell has assessed them, not as it would assess each alone. */
export const waysInto: Readonly<Record<string, readonly Alert[]>> = Object.fromEntries(
  Object.entries(ways).map(([name, alerts]) => [
    name,
    alerts.map((alert) => ({
      ...alert,
      assessment: alert.assessment ?? assessedAs(alert.severity === 'critical' ? 'contain' : 'ask'),
    })),
  ]),
);

/**
 * Alerts from policies that people have named themselves, each with the one playbook that answers it: by the hook alone, and when a name contains words of two
 * kinds.
 */
export const policyAlerts: readonly (readonly [string, Alert])[] = [
  ['ask-about-kernel-change', policyAlert('tetragon', 'guard-1', ['hook:kprobe/security_bpf_prog'])],
  ['contain-container-escape', policyAlert('tetragon', 'guard-2', ['hook:kprobe/sys_pivot_root'])],
  ['contain-cryptominer', policyAlert('kubearmor', 'kinsing-by-netcat')],
  ['contain-container-escape', policyAlert('tetragon', 'escape-by-unlink')],
  ['ask-about-credential-search', policyAlert('kubearmor', 'truststore-by-ftp')],
];

function policyAlert(sensor: string, rule: string, tags: readonly string[] = []): Alert {
  return { ...alertOf('Terminal shell in container'), sensor, rule, tags, severity: 'medium' };
}
