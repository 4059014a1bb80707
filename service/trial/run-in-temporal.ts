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
  /** Folder of the pack that the playbooks are in; absent: the nearest one, from where the tests are run. What is shipped needs none. */
  readonly pack?: string;
}

/** The same as `simulate`, in a real Temporal. */
export async function runInTemporal(
  playbook: ListedPlaybook | readonly ListedPlaybook[],
  { pack, ...options }: RunInTemporalOptions,
): Promise<Story> {
  const given = 'id' in playbook ? [playbook] : playbook;
  const isShipped = given.every(({ id }) => id.startsWith('firebreak/'));
  const built = isShipped ? await shippedBundle() : await packBundle(pack ?? nearestPack(process.cwd()));
  const names = new Map(given.map((one) => [fullId(one, built), one.id]));
  // The body is the bundle's, and so is all that is said of it.
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

/** Why there is no Temporal on which days pass in a moment, on this machine; undefined where there is one. */
export async function whyNoTemporal(): Promise<string | undefined> {
  try {
    await timeSkippingServerPath();
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : 'it cannot be read';
  }
}
