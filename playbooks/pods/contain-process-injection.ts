import { checkpointContainer } from '../../core/actions/index.ts';
import { definePlaybook } from '../../core/playbook/playbook.ts';
import { actsOf } from '../fragments/acts.ts';
import { urgent } from '../fragments/asked.ts';
import { containOrAsk, keepVolatile, removing } from '../fragments/pod.ts';
import { programOf } from '../fragments/words.ts';

export const containProcessInjection = definePlaybook(
  {
    id: 'contain-process-injection',
    title: 'Keep the memory of a container in which one process writes into another, and ask',
    on: {
      match: {
        any: [
          {
            rule: [
              'PTRACE attached to process',
              'PTRACE anti-debug attempt',
              'anti_debugging',
              'aslr_inspection',
              'ptrace_code_injection',
              'proc_mem_code_injection',
              'process_vm_write_inject',
              'ld_preload',
            ],
          },
          actsOf('injection'),
        ],
      },
      minSeverity: 'info',
      requires: ['pod'],
    },
    uses: { ...removing, checkpointContainer },
    levels: urgent,
    contains: 'pod',
  },
  async (context) => {
    const { alert, containment, steps, settle, skip } = context;
    if (alert.severity === 'info' && !containment)
      skip('Recorded, and nobody is asked: many runtimes check where they are loaded.');
    // Memory first: it is the only evidence, and a restart destroys it.
    const keep = () => settle({ memory: steps.checkpointContainer({ pod: alert.pod }), volatile: keepVolatile(context) });
    await containOrAsk(
      context,
      {
        question: `Is ${programOf(alert)} in ${alert.pod.name} meant to look into or change another process?`,
        expected: 'Yes, one of our debuggers or profilers',
        ticket: 'One process reached into another',
        todo: 'What was written into a process is in no file: read it from the kept memory. The changed process keeps the rights and connections that it had before.',
      },
      { keep },
    );
  },
);
