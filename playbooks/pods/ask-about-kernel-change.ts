import { collectNodeInfo, cordonNode } from '../../core/actions/index.ts';
import { definePlaybook } from '../../core/playbook/playbook.ts';
import { actsOf } from '../fragments/acts.ts';
import { urgent } from '../fragments/asked.ts';
import { askAboutItsNode } from '../fragments/node.ts';
import { containOrAsk, removing } from '../fragments/pod.ts';

export const askAboutKernelChange = definePlaybook(
  {
    id: 'ask-about-kernel-change',
    title: 'Ask about a kernel module, a BPF program or a hook that a container loads into the kernel',
    on: {
      match: {
        any: [
          {
            rule: [
              'Linux Kernel Module Injection Detected',
              'BPF Program Not Profiled',
              'kernel_module_loading',
              'hooked_syscall_detector',
              'hooked_seq_ops_detector',
              'proc_fops_hooking',
              'syscall_hooking',
            ],
          },
          actsOf('kernel'),
        ],
      },
      minSeverity: 'low',
      requires: ['pod'],
    },
    uses: { ...removing, collectNodeInfo, cordonNode },
    levels: urgent,
    contains: 'pod',
  },
  async (context) => {
    const { alert } = context;
    const words = {
      question: `Is ${alert.pod.name} meant to change the kernel of ${alert.node ?? 'its node'}? ${alert.title}`,
      expected: 'Yes, it is one of our drivers or agents',
      ticket: 'A container changed the kernel',
      todo: 'Whoever changed the kernel can hide anything, also from every sensor on the node. Nothing that the node reports about itself is proof: keep its disk and replace the node.',
    };
    // The pod is the smallest part of the problem.
    await containOrAsk(context, words, { next: () => askAboutItsNode(context) });
  },
);
