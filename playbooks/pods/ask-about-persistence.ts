import { snapshotFilesystem } from '../../core/actions/index.ts';
import { definePlaybook } from '../../core/playbook/playbook.ts';
import { actsOf } from '../fragments/acts.ts';
import { unhurried } from '../fragments/asked.ts';
import { containOrAsk, keepVolatile, removing } from '../fragments/pod.ts';
import { programOf } from '../fragments/words.ts';

export const askAboutPersistence = definePlaybook(
  {
    id: 'ask-about-persistence',
    title: 'Ask about what would let somebody come back: cron, keys, start-up files, programs, libraries',
    on: {
      match: {
        any: [
          {
            rule: [
              'Modify Shell Configuration File',
              'Schedule Cron Jobs',
              'Adding ssh keys to authorized_keys',
              'User mgmt binaries',
              'Create files below dev',
              'Backdoored library loaded into SSHD (CVE-2024-3094)',
              'Write below binary dir',
              'Write below monitored dir',
              'Write below etc',
              'Write below root',
              'Modify binary dirs',
              'Mkdir binary dirs',
              'default_loader_mod',
              'rcd_modification',
              'scheduled_task_mod',
            ],
          },
          actsOf('persistence'),
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
    const keep = () => settle({ files: steps.snapshotFilesystem({ pod: alert.pod }), volatile: keepVolatile(context) });
    await containOrAsk(
      context,
      {
        question: `Is ${programOf(alert)} in ${alert.pod.name} meant to change how it starts, or who gets in? ${alert.title}`,
        expected: 'Yes, its own start-up does that',
        ticket: 'Something persistent was put into a container',
        todo: 'In the container’s own files it ends with the container. On a volume it comes back with the next pod: look there, and in the kept files, for what was written. Whoever wrote it was already in.',
      },
      { keep },
    );
  },
);
