import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { describe, expect, test } from '@jest/globals';
import { resolverFromNames } from '../../core/alert/subject.ts';
import type { ResolvedAlert } from '../../core/alert/subject-resolver.ts';
import { subjectTitle } from '../../core/incident/incident.ts';
import { answering } from '../../core/playbook/answering.ts';
import { playbooks } from '../../playbooks/index.ts';
import { parseAlerts } from '../../service/intake/read/parse.ts';
import { simulate } from '../../testing/simulate.ts';
import { attackSamples, describeRecorded } from './attack-samples.ts';

/** The outcome of a delivery: rule, the playbooks that answer it, and what its incident is about. The cell would know the uid of each pod. */
function comesTo(bytes: Uint8Array): readonly string[] {
  const lines = resolvedIn(bytes).flatMap(({ alert, subject }) => {
    const ids = answering(playbooks, alert).map(({ id }) => id.replace(/^firebreak\//, ''));
    return ids.length === 0 ? [] : [`${alert.rule} (${alert.severity}): ${ids.join(', ')} about ${subjectTitle(subject)}`];
  });
  return [...new Set(lines)];
}

function resolvedIn(bytes: Uint8Array): readonly ResolvedAlert[] {
  const parsed = parseAlerts(bytes, { cluster: 'lab' });
  return (parsed.ok ? parsed.items : []).flatMap((item) => {
    if (item.kind !== 'alert') return [];
    const { alert: found, subject } = resolverFromNames.resolve(item.alert);
    return { alert: found.pod ? { ...found, pod: { ...found.pod, uid: 'uid-1' } } : found, subject };
  });
}

function read(file: string): Uint8Array {
  const bytes = readFileSync(file);
  return file.endsWith('.gz') ? gunzipSync(bytes) : bytes;
}

/** Deliveries from sensors that a playbook answers, by sensor folder and file. All others have no playbook, or go to the one that takes the rest. */
const claimed: Readonly<Record<string, string>> = {
  'alertmanager/rw-webhook-v4-firing-from-falcosidekick.json': 'ask-about-shell',
  'cloudevents/rw-falcosidekick-binary-mode.json': 'ask-about-shell',
  'falco/01-read_sensitive_file_untrusted.json': 'ticket-sensitive-read',
  'falco/02-create_symlink_over_sensitive_files.json': 'ticket-sensitive-read',
  'falco/rw-host-process.json': 'ticket-sensitive-read',
  'falco/rw-huge-cmdline-200k.json': 'ask-about-shell',
  'falco/rw-k8saudit-create-privileged-pod.json': 'ask-about-risky-pod',
  'falco/rw-k8saudit-exec.json': 'ask-about-exec',
  'falco/rw-k8saudit-port-forward.json': 'ask-about-exec',
  'falco/rw-output-and-tags-absent.json': 'answer-node-compromise',
  'falco/rw-output-fields-absent.json': 'answer-node-compromise',
  'falco/rw-typed-values-and-arrays.json': 'ticket-sensitive-read',
  'falco/rw-unicode-and-replacement-char.json': 'ask-about-persistence',
  'falcosidekick/rw-webhook-truncated-fields.json': 'ask-about-shell',
  'falcosidekick/rw-webhook-uuid-customfields.json': 'ask-about-shell',
  'kubescape/rw-alertmanager-api.json': 'contain-dropped-binary',
  'kubescape/rw-http-bulk.json': 'contain-dropped-binary',
  'kubescape/captured-r0006-1.json': 'ask-about-kubernetes-api',
  'kubescape/captured-r0008-1.json': 'ask-about-credential-search',
  'kubescape/captured-r1001-1.json': 'ask-about-new-binary',
  'kubescape/captured-r1005-1.json': 'ask-about-new-binary',
  'kubescape/captured-r1007-1.json': 'contain-cryptominer',
  'kubescape/captured-r1015-1.json': 'contain-process-injection',
  'kubearmor/rw-agent-2021.json': 'ticket-policy-violation',
  'kubearmor/rw-agent-stdout-camelcase.json': 'ticket-policy-violation',
  'kubearmor/rw-dns-event-data.json': 'ticket-policy-violation',
  'kubearmor/rw-preset-alert.json': 'ask-about-new-binary',
  'kubearmor/rw-sidekick.json': 'ticket-policy-violation',
  'kubernetes-audit/rw-eventlist-two-items-exec.json': 'ask-about-exec',
  'tetragon/rw-aggregated.json': 'answer-node-compromise',
  'tetragon/rw-kprobe-sigkill-policy.json': 'ask-about-network-tools',
  'tetragon/rw-process-lsm.json': 'answer-node-compromise',
  'tetragon/rw-process-tracepoint.json': 'answer-node-compromise',
  'tetragon/rw-process-uprobe-without-path.json': 'answer-node-compromise',
  'tetragon/rw-process-uprobe.json': 'answer-node-compromise',
  'tracee/rw-v1beta1-detection-k8s.json': 'ask-about-persistence',
  'tracee/rw-legacy-signature-metadata-v0.12-0.2x.json': 'contain-process-injection',
};

const rest = /^(?:ask-about-unanswered|ticket-unanswered)$/;

describe('payloads as sensors send them', () => {
  const folder = join(import.meta.dirname, '..', 'fixtures', 'alerts');
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.json'));

  test.each(files.toSorted())('%s is answered by the playbook that it is for, and by no other', (file) => {
    const named = comesTo(readFileSync(join(folder, file))).flatMap((line) => {
      const ids = (line.split('): ').at(-1) ?? '').split(' about ')[0]?.split(', ') ?? [];
      return ids.filter((id) => !rest.test(id));
    });
    expect([...new Set(named)].join(', ')).toBe(claimed[file] ?? '');
  });
});

describeRecorded('what was recorded at an API server', () => {
  const lines = (file: string) => comesTo(read(join(attackSamples, file)));

  test.each([
    [
      'event-generator/CreatePrivilegedPod.json',
      'Pod that opens the node (high): ask-about-risky-pod',
      'deployment/default/privileged-deployment',
    ],
    [
      'event-generator/CreateSensitiveMountPod.json',
      'Pod that opens the node (high): ask-about-risky-pod',
      'deployment/default/sensitive-mount-deployment',
    ],
    // At the level Metadata nobody can tell what a role grants.
    [
      'event-generator/ClusterRoleWithWildcardCreated.json',
      'RBAC of a namespace changed (low): ticket-api-change',
      'cluster/lab',
    ],
    [
      'event-generator/ClusterRoleWithWritePrivilegesCreated.json',
      'RBAC of a namespace changed (low): ticket-api-change',
      'cluster/lab',
    ],
    [
      'stratus/k8s.credential-access.steal-serviceaccount-token.json',
      'Credentials read by exec (high): ask-about-exec',
      'pod/stratus/victim',
    ],
    [
      'stratus/k8s.persistence.create-admin-clusterrole.json',
      'System account made (medium): ask-about-granted-rights',
      'cluster/lab',
    ],
    [
      'stratus/k8s.persistence.create-token.json',
      'Token of a system account requested (high): ask-about-granted-rights',
      'cluster/lab',
    ],
    [
      'stratus/k8s.privilege-escalation.hostpath-volume.json',
      'Pod that opens the node (high): ask-about-risky-pod',
      'pod/stratus/k8s.privilege-escalation.hostpath-volume',
    ],
    [
      'stratus/k8s.privilege-escalation.privileged-pod.json',
      'Pod that opens the node (high): ask-about-risky-pod',
      'pod/stratus/k8s.privilege-escalation.privileged-pod',
    ],
  ])('%s is %s about %s', (file, what, about) => {
    expect(lines(file)).toContainEqual(
      expect.stringMatching(new RegExp(`^${what.replaceAll(/[()]/g, '\\$&')} about .*${about}`)),
    );
  });

  test.each(['event-generator/K8SConfigMapCreated.json', 'event-generator/K8SDeploymentCreated.json'])(
    '%s starts nothing',
    (file) => expect(lines(file)).toEqual([]),
  );

  test('on an ordinary day nobody is asked, and nothing is done', async () => {
    const alerts = resolvedIn(read(join(attackSamples, 'benign/platform-team-day.json.gz')));
    const stories = await Promise.all(alerts.map(({ alert }) => simulate(playbooks, { alert })));
    expect(stories.flatMap(({ questions, steps }) => [...questions, ...steps])).toEqual([]);
  });
});
