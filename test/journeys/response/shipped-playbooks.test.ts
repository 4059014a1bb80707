import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { Client, Connection } from '@temporalio/client';
import { eventually } from '../../eventually.ts';
import { alertAbout } from '../../platform/e2e/parts/alerts.ts';
import { podOf, type Workload } from '../../platform/e2e/parts/cluster.ts';
import { Service } from '../../platform/e2e/parts/service.ts';
import { testPlatform } from '../../platform.ts';

const { temporalAddress, temporalNamespace, kubeconfig, auditLog, freshNamespace } = await testPlatform();

/** A rule and its priority; the playbook that answers it; what is contained without anybody deciding it. */
const kinds = [
  ['Execution from /dev/shm', 'Warning', 'ask-about-new-binary', []],
  ['Detect release_agent File Container Escapes', 'Critical', 'contain-container-escape', ['quarantinePod']],
  ['Linux Kernel Module Injection Detected', 'Warning', 'ask-about-kernel-change', []],
  ['Reverse Shell from Web Server', 'Critical', 'contain-reverse-shell', ['quarantinePod']],
  ['DB program spawned process', 'Notice', 'contain-exploited-application', []],
  ['Search Private Keys or Passwords', 'Warning', 'ask-about-credential-search', []],
  ['Contact EC2 Instance Metadata Service From Container', 'Notice', 'ask-about-metadata-service', []],
  ['Kubernetes Client Tool Launched in Container', 'Warning', 'ask-about-kubernetes-api', []],
  ['PTRACE attached to process', 'Warning', 'contain-process-injection', []],
  ['Remove Bulk Data from Disk', 'Warning', 'stop-destruction', []],
  ['Launch Suspicious Network Tool in Container', 'Notice', 'ask-about-network-tools', []],
  ['Launch Package Management Process in Container', 'Error', 'ask-about-installed-tools', []],
  ['Launch Remote File Copy Tools in Container', 'Notice', 'ask-about-exfiltration', []],
  ['Write below etc', 'Error', 'ask-about-persistence', []],
  ['Sudo Potential Privilege Escalation', 'Critical', 'contain-privilege-escalation', ['quarantinePod']],
  ['Known Cryptominer Process Executed', 'Critical', 'contain-cryptominer', ['quarantinePod']],
] as const;

let service: Service;
let workloads: readonly Workload[];

beforeAll(async () => {
  const namespace = await freshNamespace();
  service = await Service.create({ temporalAddress, temporalNamespace, kubeconfig, auditLog }, (config) => {
    config.watch = { namespaces: [namespace] };
    config.playbooks = { params: { 'firebreak/remind-of-rotation': { namespace, secret: 'db' } } };
  });
  await service.start();
  workloads = await service.workloads.deploy(
    namespace,
    kinds.map(([, , name]) => name),
  );
});
afterAll(() => service?.stop());

test('a scheduled playbook with a target has a schedule in Temporal, whose bell the cell answers, and starts nothing before its time', async () => {
  const connection = await Connection.connect({ address: temporalAddress });
  try {
    const client = new Client({ connection, namespace: temporalNamespace });
    const schedule = client.schedule.getHandle(`schedule/${service.cluster}/firebreak/remind-of-rotation`);
    const isThere = () => schedule.describe().catch(() => undefined);
    const { spec } = await eventually('the schedule', isThere);
    expect(spec.intervals).toMatchObject([{ every: 90 * 86_400_000 }]);
    await schedule.trigger();
    const rung = await eventually('its bell', async () => (await schedule.describe()).info.recentActions[0]);
    const bell = client.workflow.getHandle(rung.action.workflow.workflowId);
    await eventually('the cell’s answer', async () => (await bell.describe()).status.name === 'COMPLETED');
    expect(service.log).not.toContain('started a scheduled playbook');
    await schedule.delete();
  } finally {
    await connection.close();
  }
});

describe('a shipped playbook, with the real actions', () => {
  test.each(kinds.map(([rule, priority, name, contains], at) => [name, rule, { at, priority, contains }] as const))(
    '%s asks about “%s” or files it, keeps what it can, and contains no more than it may',
    async (name, rule, { at, priority, contains }) => {
      const workload = workloads[at];
      if (!workload) throw new Error('no workload');
      await service.post([{ ...alertAbout(workload), rule, priority }]);
      const isItsQuestion = ({ question }: { readonly question: { readonly requester: string } }): boolean =>
        question.requester === `playbook/firebreak/${name}`;
      const state = await service.stateWhen(
        'its question, or that nobody is asked',
        workload,
        120_000,
        ({ questions, timeline }) => questions.some(isItsQuestion) || timeline.some(({ kind }) => kind === 'question.withheld'),
      );
      // Alone, a lesser alert is only filed, and one of a weak rule.
      expect(state.questions.some(isItsQuestion)).toBe(
        priority === 'Critical' || (priority === 'Error' && rule !== 'Write below etc'),
      );
      expect(state.bodies.map(({ playbook }) => playbook)).toEqual([`firebreak/${name}`]);
      expect(state.leases.map(({ action }) => action)).toEqual(contains);
      expect(service.effects.of('contain', podOf(workload))).toHaveLength(contains.length);
      const kept = await service.stateWhen('evidence', workload, 120_000, ({ steps }) =>
        steps.some(({ action, state: now }) => action === 'snapshotPodState' && (now === 'verified' || now === 'applied')),
      );
      // If there are no tools, that is recorded, and nothing waits for them.
      expect(kept.timeline.map(({ kind }) => kind)).toContain('step.unavailable');
      // A pod without volumes has none to snapshot.
      expect(kept.steps.filter(({ state: now, action }) => now === 'failed' && action !== 'snapshotVolume')).toEqual([]);
    },
  );
});
