import { snapshotFilesystem } from '../../core/actions/index.ts';
import { definePlaybook } from '../../core/playbook/playbook.ts';
import { actsOf } from '../fragments/acts.ts';
import { unhurried } from '../fragments/asked.ts';
import { containOrAsk, keepVolatile, removing } from '../fragments/pod.ts';
import { programOf } from '../fragments/words.ts';

/** Below critical: `contain-dropped-binary` does not wait for people. */
export const askAboutNewBinary = definePlaybook(
  {
    id: 'ask-about-new-binary',
    title: 'Ask about a program that appeared in a container after its start, or that hides',
    on: {
      match: {
        severity: ['high', 'medium', 'low'],
        any: [
          {
            rule: [
              'Drop and execute new binary in container',
              'Fileless execution via memfd_create',
              'Execution from /dev/shm',
              'Container Drift Detected (chmod)',
              'Container Drift Detected (open+create)',
              'Create Hidden Files or Directories',
              'dropped_executable',
              'dynamic_code_loading',
              'fileless_execution',
              'hidden_file_created',
            ],
          },
          actsOf('new-binary'),
        ],
      },
      minSeverity: 'low',
      requires: ['pod'],
    },
    uses: { ...removing, snapshotFilesystem },
    levels: unhurried,
    contains: 'pod',
  },
  async (context) => {
    const { alert, steps, settle } = context;
    // The file may be deleted as soon as it runs: everything written since the start is kept while people are asked.
    const keep = () => settle({ files: steps.snapshotFilesystem({ pod: alert.pod }), volatile: keepVolatile(context) });
    await containOrAsk(
      context,
      {
        question: `Does ${programOf(alert)} belong in ${alert.pod.name}? It is not as in its image.`,
        expected: 'Yes, one of our tools or builds',
        ticket: 'A program that is not in the image',
        todo: 'Look up the hash of the file in the kept files, and how the file got there: by which process, from which address. Build the image with everything it needs, so that nothing has to be added later.',
      },
      { keep },
    );
  },
);
