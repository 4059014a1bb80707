/**
 * Says what playbooks of a pack would do about an alert while nobody answers, as JSON: see `runPackProgram`. It reads an `Observation`.
 */
import { readFileSync } from 'node:fs';
import type { Alert } from '../../core/alert/alert.ts';
import type { Pack } from '../../core/playbook/pack.ts';
import type { ParamValue } from '../../core/playbook/params.ts';
import { outcomeOf } from '../../testing/path-line.ts';
import { simulate } from '../../testing/simulate.ts';
import { loadedPack } from './loaded-pack.ts';

export interface Observation {
  readonly alert: Alert;
  /** Ids of those that answer it. */
  readonly playbooks: readonly string[];
  /** As the configuration sets them, by playbook. */
  readonly params: Readonly<Record<string, Readonly<Record<string, ParamValue>>>>;
}

const [folder = '', main = ''] = process.argv.slice(2);
const { alert, playbooks, params }: Observation = JSON.parse(readFileSync(0, 'utf8'));
const pack = (await loadedPack(folder, main)) as Pack;
const seen: object[] = [];
for (const playbook of pack.playbooks) {
  if (!playbooks.includes(playbook.id)) continue;
  const own = params[playbook.id];
  const story = await simulate(playbook, { alert, ...(own && { params: own }) });
  seen.push({ playbook: playbook.id, outcome: outcomeOf(story), asks: story.questions.map(({ text }) => text) });
}
process.stdout.write(JSON.stringify(seen));
