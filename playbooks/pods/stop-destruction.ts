import { collectLogs, snapshotFilesystem, snapshotVolume } from '../../core/actions/index.ts';
import { definePlaybook } from '../../core/playbook/playbook.ts';
import { actsOf } from '../fragments/acts.ts';
import { urgent } from '../fragments/asked.ts';
import { askOnceContained, keepVolatile, removing } from '../fragments/pod.ts';
import { fileTicket, programOf } from '../fragments/words.ts';

export const stopDestruction = definePlaybook(
  {
    id: 'stop-destruction',
    title: 'Save what a container deletes or overwrites, and ask whether to end it',
    on: {
      match: {
        any: [
          { rule: ['Clear Log Activities', 'Remove Bulk Data from Disk', 'Delete or rename shell history'] },
          actsOf('destruction'),
        ],
      },
      minSeverity: 'low',
      requires: ['pod'],
    },
    uses: { ...removing, collectLogs, snapshotVolume, snapshotFilesystem },
    levels: urgent,
    contains: 'pod',
  },
  async (context) => {
    const { alert, steps, ask, settle, verdict, containment } = context;
    const { pod } = alert;
    // What is being destroyed is the evidence, and perhaps the data: volumes first, each minute counts.
    const keep = () =>
      settle({
        volumes: steps.snapshotVolume({ pod }),
        logs: steps.collectLogs({ pod }),
        volatile: keepVolatile(context),
        files: steps.snapshotFilesystem({ pod }),
      });
    const question = `Is ${programOf(alert)} in ${pod.name} meant to delete that? ${alert.title}`;
    const ticket = 'Data or traces are being deleted';
    const todo =
      'A quarantine cuts off the network but does not stop writes to a volume: only deleting the pod does. Check backups and the kept snapshots before anything is restored.';
    const kept = keep();
    const words = { question, ticket, todo };
    if (containment) {
      await askOnceContained(context, words, { containment }, { kept });
      return;
    }
    const plans = await settle({ quarantine: steps.quarantinePod.plan({ pod }), end: steps.deletePod.plan({ pod }) });
    const [quarantine, end] = [plans.quarantine, plans.end].map((plan) => plan.ok);
    const answer =
      plans.quarantine.ok && plans.end.ok
        ? await ask({
            question,
            choices: {
              expected: 'Yes, it cleans up',
              look: 'Leave it as it is, and look into it',
              quarantine: 'No',
              end: 'No, end it now',
            },
            plan: { quarantine: plans.quarantine.value, end: plans.end.value },
            harmless: ['expected'],
            onSilence: 'Nothing is done to the pod. A ticket is filed.',
            untilContained: true,
          })
        : await ask({
            question,
            choices: { expected: 'Yes, it cleans up', look: 'Leave it as it is, and look into it' },
            harmless: ['expected'],
            onSilence: 'Nothing is done to the pod. A ticket is filed.',
            untilContained: true,
          });
    if (answer.choice === 'contained') {
      await askOnceContained(
        context,
        words,
        { containment: Promise.resolve(answer.containment), because: answer.because, unanswered: answer.unanswered },
        { kept },
      );
      return;
    }
    if (answer.choice === 'expected') {
      verdict('benign', `expected, said ${answer.by.join(' and ')}`);
      await kept;
      return;
    }
    if (answer.choice !== 'silence') verdict('suspicious', `not expected, said ${answer.by.join(' and ')}`);
    if (answer.choice === 'quarantine') await steps.quarantinePod({ pod, lease: '4h' }, answer.approval);
    // It may end before all is saved: with destruction ongoing, no longer wait is justified than the engine demands.
    if (answer.choice === 'end') await steps.deletePod({ pod }, answer.approval);
    const done = {
      silence: `${'notAsked' in answer ? 'Nobody was asked' : 'Nobody answered'}: nothing was done to the pod.`,
      look: `Somebody has to look into it: nothing was done to the pod${quarantine && end ? '' : ', which can be neither quarantined nor deleted'}.`,
      quarantine: 'The pod was quarantined. It can still write to its volumes.',
      end: 'The pod was deleted.',
    };
    await fileTicket(context, { title: ticket, done: [done[answer.choice]], todo });
    await kept;
  },
);
