import { FirebreakError } from '../../core/errors.ts';
import type { ListedPlaybook } from '../../core/playbook/pack.ts';
import type { SimulateOptions } from '../../testing/chooser.ts';
import type { SimulatedQuestion } from '../../testing/people.ts';
import type { Story } from '../../testing/story.ts';
import { unmatched } from '../../testing/story-teller.ts';
import { timeSkippingServerPath } from '../parts/time-skipping-server.ts';
import { runTrial } from './trial.ts';
import { nearestPack, packBundle, shippedBundle, type TrialBundle } from './trial-bundle.ts';

export interface RunInTemporalOptions extends SimulateOptions {
  /** Folder of the playbooks' pack; absent: the nearest one above the folder where the tests run. Shipped playbooks need none. */
  readonly pack?: string;
}

/** Does the same as `simulate`, on a real Temporal. */
export async function runInTemporal(
  playbook: ListedPlaybook | readonly ListedPlaybook[],
  { pack, ...options }: RunInTemporalOptions,
): Promise<Story> {
  const given = 'id' in playbook ? [playbook] : playbook;
  const isShipped = given.every(({ id }) => id.startsWith('firebreak/'));
  const built = isShipped ? await shippedBundle() : await packBundle(pack ?? nearestPack(process.cwd()));
  const names = new Map(given.map((one) => [fullId(one, built), one.id]));
  // The body comes from the bundle, and so does everything else about the playbook.
  const playbooks = given.map((one) => ({ ...one, id: fullId(one, built) }));
  const nameOf = (id: string): string => names.get(id) ?? id;
  const { answer } = options;
  const trial = await runTrial({
    playbooks,
    bundle: built.bundle,
    options: {
      ...options,
      ...(typeof answer === 'function' && {
        answer: (question: SimulatedQuestion) => answer({ ...question, asker: nameOf(question.asker) }),
      }),
    },
  });
  if (!trial) return unmatched;
  const { story } = trial;
  return {
    ...story,
    playbooks: story.playbooks.map(nameOf),
    questions: story.questions.map((question) => ({ ...question, asker: nameOf(question.asker) })),
  };
}

function fullId({ id }: ListedPlaybook, { name, playbooks }: TrialBundle): string {
  const full = id.includes('/') ? id : `${name}/${id}`;
  if (playbooks.some((one) => one.id === full)) return full;
  throw new FirebreakError(
    'FB_ERR_UNKNOWN_ID',
    `the pack ${name} has no playbook ${id}: is it in the list of its firebreak.pack.ts?`,
  );
}

/** Returns why this machine has no Temporal with a skippable clock; undefined if it has one. */
export async function whyNoTemporal(): Promise<string | undefined> {
  try {
    await timeSkippingServerPath();
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : 'it cannot be read';
  }
}
