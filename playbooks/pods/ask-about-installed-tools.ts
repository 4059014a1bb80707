import { restartWorkload, snapshotFilesystem } from '../../core/actions/index.ts';
import { definePlaybook } from '../../core/playbook/playbook.ts';
import { actsOf } from '../fragments/acts.ts';
import { unhurried } from '../fragments/asked.ts';
import { containOrAsk, keepVolatile, type PodExtras, removing } from '../fragments/pod.ts';
import { programOf } from '../fragments/words.ts';

export const askAboutInstalledTools = definePlaybook(
  {
    id: 'ask-about-installed-tools',
    title: 'Ask about packages and tools that are brought into a running container',
    on: {
      match: {
        any: [
          {
            rule: [
              'Launch Package Management Process in Container',
              'Launch Ingress Remote File Copy Tools in Container',
              'Update Package Repository',
              'Write below rpm database',
              'Decoding Payload in Container',
              'Network Tool Executed During NPM Package Install',
            ],
          },
          actsOf('tools'),
        ],
      },
      minSeverity: 'info',
      requires: ['pod'],
    },
    uses: { ...removing, snapshotFilesystem, restartWorkload },
    levels: unhurried,
    contains: 'pod',
  },
  async (context) => {
    const { alert, containment, steps, ask, settle, skip } = context;
    const { pod, workload } = alert;
    if (alert.severity === 'info' && !containment) skip('Recorded, and nobody is asked: decoding alone is ordinary work.');
    const keep = () => settle({ files: steps.snapshotFilesystem({ pod }), volatile: keepVolatile(context) });
    // One of us changed it: it matches its image again only after a restart.
    const next: PodExtras['next'] = async (answer) => {
      if (answer !== 'look' || workload === undefined || workload.guessed) return;
      const { kind, namespace, name } = workload;
      const input = { workload: { kind, namespace, name }, suspect: pod };
      const { planned } = await settle({ planned: steps.restartWorkload.plan(input) });
      if (!planned.ok) return;
      const more = await ask({
        question: `Restart ${namespace}/${name}, so that it runs only what its image contains?`,
        choices: { restart: 'Yes', leave: 'No' },
        plan: { restart: planned.value },
        onSilence: 'It keeps running with what was installed.',
      });
      if (more.choice === 'restart') await steps.restartWorkload(input, more.approval);
    };
    await containOrAsk(
      context,
      {
        question: `Is what ${programOf(alert)} brings into ${pod.name} meant to be there?`,
        expected: 'Yes, for debugging, or it installs what it needs',
        ticket: 'Something was installed into a running container',
        todo: 'What was installed is in the kept files. An image that has everything it needs, a read-only root file system and no route to package servers make this alert impossible.',
      },
      { keep, next },
    );
  },
);
