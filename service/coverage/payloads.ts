import type { Alert } from '../../core/alert/alert.ts';
import type { KnownRule, RulePlace } from '../../core/rules/known-rules.ts';
import { readItem } from '../intake/read/parse.ts';

const time = '2026-11-27T09:00:00.000000000Z';
const node = 'node-1';
const container = '3f2a9c41d0be5a6b7c8d9e0f1a2b3c4d5e6f708192a3b4c5d6e7f80910213243';
const pod = { namespace: 'shop', name: 'cart-5d4c9b7f6-x2x7k', uid: '1f0f6b0e-6c6f-4c39-9a5a-3a1b1f6f2d11' };
const image = 'registry.example.com/shop/cart:1.4.2';

/** The payload that the rule's sensor would send, in its newest format. */
export function payloadOf(rule: KnownRule, place: RulePlace): object {
  const inPod = place === 'pod';
  const { name, severity, tags, detail } = rule;
  switch (rule.sensor) {
    case 'tetragon': {
      const process = {
        exec_id: 'bm9kZS0xOjE=',
        pid: 4711,
        uid: 0,
        binary: '/bin/sh',
        start_time: time,
        ...(inPod && {
          docker: container.slice(0, 31),
          pod: {
            namespace: pod.namespace,
            name: pod.name,
            uid: pod.uid,
            container: { id: `containerd://${container}`, name: 'cart', image: { name: image } },
            workload: 'cart',
            workload_kind: 'Deployment',
          },
        }),
      };
      const body = { process, function_name: detail || 'sys_write', policy_name: name, action: 'KPROBE_ACTION_POST', tags };
      return { process_kprobe: body, node_name: node, time };
    }
    case 'tracee':
      return {
        timestamp: time,
        id: 6_001,
        name,
        workload: {
          process: { host_pid: 4711, thread: { name: 'sh' }, executable: { path: '/bin/sh' } },
          ...(inPod && {
            container: { id: container, name: 'cart', image: { name: image } },
            k8s: { pod: { name: pod.name, uid: pod.uid }, namespace: { name: pod.namespace } },
          }),
        },
        threat: {
          name,
          severity,
          mitre: { tactic: { name: detail }, technique: { id: tags.find((tag) => /^T\d/.test(tag)) } },
          properties: { signatureID: tags[0] },
        },
        data: [],
      };
    case 'kubescape':
      return {
        kind: 'RuntimeAlerts',
        apiVersion: 'kubescape.io/v1',
        spec: {
          alerts: [
            {
              alertName: name,
              ruleID: tags[0],
              severity: Number(severity),
              timestamp: time,
              nodeName: node,
              infectedPID: 4711,
              containerID: container,
              containerName: 'cart',
              image,
              podNamespace: pod.namespace,
              podName: pod.name,
              workloadKind: 'Deployment',
              workloadName: 'cart',
              workloadNamespace: pod.namespace,
            },
          ],
          processTree: { processTree: { pid: 4711, comm: 'sh', path: '/bin/sh' } },
        },
      };
    case 'kubearmor':
      return {
        Type: inPod ? 'MatchedPolicy' : 'MatchedHostPolicy',
        UpdatedTime: time,
        HostName: node,
        PolicyName: name,
        // The value that it sends if a policy sets none.
        Severity: severity ?? '1',
        Tags: tags.join(','),
        ATags: tags,
        Operation: 'Process',
        Source: '/bin/sh',
        Resource: '/usr/bin/id',
        ProcessName: '/usr/bin/id',
        Action: 'Audit',
        Result: 'Passed',
        ...(inPod && {
          NamespaceName: pod.namespace,
          PodName: pod.name,
          Owner: { Ref: 'Deployment', Name: 'cart', Namespace: pod.namespace },
          ContainerID: container,
          ContainerImage: image,
        }),
      };
    default:
      return {
        time,
        rule: name,
        priority: severity,
        source: detail ?? 'syscall',
        tags,
        hostname: node,
        output: name,
        output_fields: falcoFields(rule, place),
      };
  }
}

function falcoFields({ detail }: KnownRule, place: RulePlace): object {
  if (place === 'node') return { 'container.id': 'host', 'proc.name': 'sh', 'k8s.ns.name': null, 'k8s.pod.name': null };
  if (place === 'cluster') return { 'ka.user.name': 'somebody' };
  if (detail === 'k8s_audit')
    return {
      'ka.target.resource': 'pods',
      'ka.target.namespace': pod.namespace,
      'ka.target.name': pod.name,
      'ka.user.name': 'somebody',
    };
  const [repository, tag] = image.split(/:(?=[^:/]+$)/);
  return {
    'container.id': container.slice(0, 12),
    'container.name': 'cart',
    'container.image.repository': repository,
    'container.image.tag': tag,
    'k8s.ns.name': pod.namespace,
    'k8s.pod.name': pod.name,
    'proc.name': 'sh',
  };
}

/**
 * The alert that a rule produces: its sensor's payload, read by the intake like a real one, plus what the cell then adds from the cluster. So coverage reflects
 * what arrives, not what a rule file calls it. Undefined if nothing arrives.
 */
export function alertOfRule(rule: KnownRule, place: RulePlace): Alert | undefined {
  const raw = Buffer.from(JSON.stringify(payloadOf(rule, place)));
  const read = readItem(raw, { cluster: 'lab' });
  const [item] = read.kind === 'items' ? read.items : [];
  if (item?.kind !== 'alert') return undefined;
  const { alert } = item;
  if (!alert.pod) return alert;
  const { namespace } = alert.pod;
  return { ...alert, pod: { ...alert.pod, uid: pod.uid }, node, workload: { kind: 'Deployment', namespace, name: 'cart' } };
}
