import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readPack } from '../../../service/packs/pack-files.ts';

/** A pack of one playbook, as text: it is read, checked and bundled like a user's pack. */
const playbook = `import { deletePod, quarantinePod, rotateSecret, snapshotPodState } from 'firebreak/actions';
import { definePack, definePlaybook } from 'firebreak/playbook';

const contain = definePlaybook(
  {
    id: 'contain',
    title: 'Contain the pod, and ask one group that has a day for its answer',
    on: { match: { rule: 'Fileless execution via memfd_create' }, minSeverity: 'critical', requires: ['pod'] },
    uses: { quarantinePod, snapshotPodState, rotateSecret, deletePod },
    levels: [{ group: 'oncall', within: '24h', page: true }],
    contains: 'pod',
  },
  async ({ alert, steps, ask, settle, verdict }) => {
    const { pod } = alert;
    const contained = steps.quarantinePod({ pod, lease: '24h' });
    const kept = settle({ evidence: steps.snapshotPodState({ pod }) });
    const quarantine = await contained;
    await kept;
    const [rotate, remove, release] = await Promise.all([
      steps.rotateSecret.plan({ suspect: pod }),
      steps.deletePod.plan({ pod }),
      steps.quarantinePod.undo.plan(quarantine),
    ]);
    const answer = await ask({
      question: 'Is the new binary in ' + pod.name + ' expected?',
      choices: { release: 'Yes', remove: 'No' },
      plan: { release, remove: [rotate, remove] },
      onSilence: 'The pod stays quarantined.',
    });
    if (answer.choice === 'release') {
      verdict('benign', 'expected');
      await steps.quarantinePod.undo(quarantine, answer.approval);
    } else if (answer.choice === 'remove') {
      await steps.rotateSecret({ suspect: pod }, answer.approval);
      await steps.deletePod({ pod }, answer.approval);
    }
  },
);

export default definePack({ name: 'patient', version: '1.0.0', playbooks: [contain] });
`;

/**
 * Its configuration. Its incidents take the same steps as those of `firebreak/contain-dropped-binary` up to their question, without a ticket, and then nothing
 * is due for a day: their only cost is that they are open.
 */
export function patientPack(folder: string): Readonly<Record<string, unknown>> {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ name: 'patient', version: '1.0.0', type: 'module' }));
  writeFileSync(join(folder, 'firebreak.pack.ts'), playbook);
  return {
    packs: [{ folder, integrity: readPack({ folder }).integrity }],
    playbooks: { enabled: ['patient/contain'] },
  };
}
