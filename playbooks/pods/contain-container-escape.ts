import { checkpointContainer, collectNodeInfo, cordonNode } from '../../core/actions/index.ts';
import { definePlaybook } from '../../core/playbook/playbook.ts';
import { actsOf } from '../fragments/acts.ts';
import { urgent } from '../fragments/asked.ts';
import { askAboutItsNode } from '../fragments/node.ts';
import { containOrAsk, keepVolatile, removing } from '../fragments/pod.ts';

export const containContainerEscape = definePlaybook(
  {
    id: 'contain-container-escape',
    title: 'Contain a pod that tries to break out to its node, and ask about the node',
    on: {
      match: {
        any: [
          {
            rule: [
              'Detect release_agent File Container Escapes',
              'Debugfs Launched in Privileged Container',
              'Mount Launched in Privileged Container',
              'Change thread namespace',
              'Change namespace privileges via unshare',
              'Modify Container Entrypoint',
              'Privileged Container Device Access',
              'Container Access to Host Sensitive Paths',
              'cgroup_notify_on_release',
              'cgroup_release_agent',
              'core_pattern_modification',
              'disk_mount',
              'docker_abuse',
              'proc_kcore_read',
              'system_request_key_mod',
            ],
          },
          actsOf('escape'),
        ],
      },
      minSeverity: 'low',
      requires: ['pod'],
    },
    uses: { ...removing, checkpointContainer, collectNodeInfo, cordonNode },
    levels: urgent,
    contains: 'pod',
  },
  async (context) => {
    const { alert, steps, settle } = context;
    // Memory shows whether it got out, and a restart destroys it.
    const keep = () => settle({ memory: steps.checkpointContainer({ pod: alert.pod }), volatile: keepVolatile(context) });
    await containOrAsk(
      context,
      {
        question: `Is ${alert.pod.name} meant to access its node ${alert.node ?? ''}? ${alert.title}`,
        expected: 'Yes, it is meant to manage the node',
        ticket: 'A container tried to access its node',
        todo: 'Quarantining the pod does not stop what already runs on the node. If it got out, treat every Secret of every pod there as read, and the kubelet’s certificate too. Replace the node.',
      },
      { keep, next: () => askAboutItsNode(context) },
    );
  },
);
