/**
 * Says what playbooks of a pack would do about an alert, with what people have answered so far, and else silence, as JSON: see `runPackProgram`. It reads an
 * `Observation`.
 */
import { readFileSync } from 'node:fs';
import type { Alert } from '../../core/alert/alert.ts';
import type { FormAnswers } from '../../core/decide/form.ts';
import type { ErrorCode } from '../../core/errors.ts';
import type { Pack } from '../../core/playbook/pack.ts';
import type { ParamValue } from '../../core/playbook/params.ts';
import { outcomeOf } from '../../testing/path-line.ts';
import type { Said, SimulatedQuestion } from '../../testing/people.ts';
import { simulate } from '../../testing/simulate.ts';
import { loadedPack } from './loaded-pack.ts';

/** A question as people have answered it. */
export interface ObservedAnswer {
  readonly text: string;
  readonly choice: string;
  /** How many groups had been asked before the one that answered. */
  readonly level: number;
  readonly form?: FormAnswers;
}

export interface Observation {
  readonly alert: Alert;
  /** Ids of those that answer it. */
  readonly playbooks: readonly string[];
  /** As the configuration sets them, by playbook. */
  readonly params: Readonly<Record<string, Readonly<Record<string, ParamValue>>>>;
  /** What people have answered in the incident. */
  readonly answers: readonly ObservedAnswer[];
  /** What has failed in it, as `SimulateOptions.failures`. */
  readonly failures: Readonly<Record<string, ErrorCode>>;
}

const [folder = '', main = ''] = process.argv.slice(2);
const { alert, playbooks, params, answers, failures }: Observation = JSON.parse(readFileSync(0, 'utf8'));
const pack = (await loadedPack(folder, main)) as Pack;
const seen: object[] = [];
for (const playbook of pack.playbooks) {
  if (!playbooks.includes(playbook.id)) continue;
  const own = params[playbook.id];
  const used: ObservedAnswer[] = [];
  const story = await simulate(playbook, { alert, failures, answer: answering(used), ...(own && { params: own }) });
  const failed = story.steps.flatMap(({ state, action, isInjected }) => (state === 'failed' && isInjected ? [action] : []));
  seen.push({
    playbook: playbook.id,
    outcome: outcomeOf(story),
    asks: story.questions.map(({ text }) => text),
    answered: used.map(({ text, choice }) => `“${text}”: ${choice}`),
    failed: [...new Set(failed)],
  });
}
process.stdout.write(JSON.stringify(seen));

/** As it was, where the same is asked with such a choice; each answer once. */
function answering(used: ObservedAnswer[]): (question: SimulatedQuestion) => Said {
  const left = [...answers];
  return ({ text, choices }) => {
    const place = left.findIndex((one) => one.text === text && choices.some(({ id }) => id === one.choice));
    const [given] = place < 0 ? [] : left.splice(place, 1);
    if (!given) return undefined;
    used.push(given);
    const { choice, level, form } = given;
    return { choice, level, ...(form && { form }) };
  };
}
