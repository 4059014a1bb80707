import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import proto from '@temporalio/proto';
import { z } from 'zod';
import type { Alert } from '../../core/alert/alert.ts';
import { FirebreakError } from '../../core/errors.ts';
import { answering } from '../../core/playbook/answering.ts';
import type { AnyPlaybook } from '../../core/playbook/playbook.ts';
import { exampleAlert } from '../../testing/example-alert.ts';
import { readAlerts } from '../simulation/read-alerts.ts';
import { differenceOnReplay } from './replay.ts';
import { trialSpeaker } from './speaker.ts';
import { runTrial, type TemporalTrial } from './trial.ts';
import type { TrialBundle } from './trial-bundle.ts';

const { History } = proto.temporal.api.history.v1;

/** Within the pack's folder. */
const historiesFolder = 'histories';
const cluster = 'trial';
const silence = 'silence';

/** A recorded history as stored in the pack. */
const golden = z.strictObject({
  playbook: z.string(),
  answer: z.string(),
  workflowId: z.string(),
  history: z.looseObject({ events: z.array(z.looseObject({})).min(1) }),
});

interface RecordedHistory {
  readonly file: string;
  readonly playbook: string;
  readonly answer: string;
  readonly events: number;
}

/** A history that no longer replays. */
export interface HistoryFault {
  readonly file: string;
  readonly problem: string;
  readonly remedy: string;
}

/**
 * Records what each playbook of a pack does on a real Temporal, with silence and with each answer to its first question, into the pack's folder `histories`;
 * existing files are replaced. The alert is the first one in the folder `alerts` that the playbook answers, or a made-up one.
 *
 * @throws FB_ERR_CONFIG_INVALID for a playbook for which no alert is known
 */
export async function recordHistories(folder: string, { bundle, playbooks }: TrialBundle): Promise<readonly RecordedHistory[]> {
  const alerts = join(folder, 'alerts');
  const read = existsSync(alerts) ? readAlerts([alerts], cluster).flatMap((one) => (one.ok ? [one.alert] : [])) : [];
  const recorded: (RecordedHistory & { readonly text: string })[] = [];
  for (const playbook of playbooks) {
    const alert = alertFor(playbook, read);
    const record = async (answer: string): Promise<TemporalTrial> => {
      const options = { alert, ...(answer !== silence && { answer }) };
      const trial = await runTrial({ playbooks: [{ ...playbook, run: nothing }], options, bundle });
      if (!trial) throw new FirebreakError('FB_ERR_INTERNAL', `${playbook.id} does not answer its own alert`);
      recorded.push(asFile(playbook.id, answer, trial));
      return trial;
    };
    const { story } = await record(silence);
    for (const { id } of story.questions.find(({ asker }) => asker === playbook.id)?.choices ?? []) await record(id);
  }
  rmSync(join(folder, historiesFolder), { recursive: true, force: true });
  mkdirSync(join(folder, historiesFolder));
  for (const { file, text } of recorded) writeFileSync(join(folder, file), text);
  return recorded.map(({ text: _, ...said }) => said);
}

/** The body comes from the bundle: only the envelope is needed here. */
async function nothing(): Promise<void> {}

function alertFor(playbook: AnyPlaybook, known: readonly Alert[]): Alert {
  const found = known.find((alert) => answering([playbook], alert).length > 0) ?? exampleAlert(playbook, { cluster });
  if (found) return { ...found, cluster };
  throw new FirebreakError(
    'FB_ERR_CONFIG_INVALID',
    `no alert could be made up for ${playbook.id}: put one that it answers into the folder alerts`,
  );
}

function asFile(
  playbook: string,
  answer: string,
  { workflowId, history }: TemporalTrial,
): RecordedHistory & { readonly text: string } {
  const plain = History.toObject(History.fromObject(history), { bytes: String, longs: String, enums: String });
  return {
    file: `${historiesFolder}/${playbook.split('/').at(-1)}.${answer}.json`,
    playbook,
    answer,
    events: history.events?.length ?? 0,
    text: `${JSON.stringify({ playbook, answer, workflowId, history: plain })}\n`,
  };
}

/** Files of a pack's histories, relative to its folder. */
export function historiesIn(folder: string): readonly string[] {
  const path = join(folder, historiesFolder);
  if (!existsSync(path)) return [];
  return readdirSync(path)
    .filter((file) => file.endsWith('.json'))
    .sort()
    .map((file) => `${historiesFolder}/${file}`);
}

/** Replays each history of a pack against its current code, as open incidents would if they moved to another build. */
export async function replayHistories(
  folder: string,
  { bundle, playbooks }: Pick<TrialBundle, 'bundle' | 'playbooks'>,
): Promise<readonly HistoryFault[]> {
  const faults: HistoryFault[] = [];
  for (const file of historiesIn(folder)) {
    const fault = await faultOf(readGolden(folder, file), { bundle, playbooks });
    if (fault) faults.push({ file, ...fault });
  }
  return faults;
}

type Golden = z.infer<typeof golden>;

function readGolden(folder: string, file: string): Golden {
  try {
    return golden.parse(JSON.parse(readFileSync(join(folder, file), 'utf8')));
  } catch {
    throw new FirebreakError('FB_ERR_CONFIG_INVALID', `${file} is not a history: firebreak pack histories records them again`);
  }
}

async function faultOf(
  { playbook, answer, workflowId, history }: Golden,
  { bundle, playbooks }: Pick<TrialBundle, 'bundle' | 'playbooks'>,
): Promise<Omit<HistoryFault, 'file'> | undefined> {
  if (!playbooks.some(({ id }) => id === playbook))
    return { problem: `the pack has no playbook ${playbook} any more`, remedy: 'Record them again: firebreak pack histories' };
  const difference = await differenceOnReplay({ bundle, workflows: trialSpeaker(cluster).workflows, workflowId, history });
  if (difference === undefined) return undefined;
  return {
    problem: `${playbook} takes another path than before (${answer}): ${difference}`,
    remedy:
      'If that is intended, record them again: firebreak pack histories. Open incidents finish on the build that they started with',
  };
}
