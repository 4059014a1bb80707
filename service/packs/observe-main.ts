/**
 * Prints as JSON what playbooks of a pack would do about an alert, given the answers, failures and step outputs so far, and otherwise silence. Reads an
 * `Observation`: see `runPackProgram`.
 */
import { readFileSync } from 'node:fs';
import { openTicket } from '../../core/actions/index.ts';
import { noTicket } from '../../core/actions/open-ticket.schema.ts';
import type { Alert } from '../../core/alert/alert.ts';
import type { FormAnswers } from '../../core/decide/form.ts';
import type { ErrorCode } from '../../core/errors.ts';
import type { ParamValue } from '../../core/playbook/params.ts';
import { isObject } from '../../core/text/plain-json.ts';
import { outcomeOf } from '../../testing/path-line.ts';
import type { Said, SimulatedQuestion } from '../../testing/people.ts';
import { simulate } from '../../testing/simulate.ts';
import { targetText } from '../../workflows/steps/step-data.ts';
import { playedPack, printToStandardError } from './loaded-pack.ts';

/** A question as people have answered it. */
export interface ObservedAnswer {
  readonly text: string;
  readonly choice: string;
  /** Number of groups that had been asked before the one that answered. */
  readonly level: number;
  readonly form?: FormAnswers;
}

/** The output of a step of the incident. */
export interface ObservedOutput {
  readonly action: string;
  /** Target of the step, as formatted by `targetText`. */
  readonly target: string;
  readonly output: unknown;
}

export interface Observation {
  readonly alert: Alert;
  /** Ids of the playbooks that respond to the alert. */
  readonly playbooks: readonly string[];
  /** As set by the configuration, by playbook. */
  readonly params: Readonly<Record<string, Readonly<Record<string, ParamValue>>>>;
  /** What people have answered in the incident. */
  readonly answers: readonly ObservedAnswer[];
  /** Failures so far, as in `SimulateOptions.failures`. */
  readonly failures: Readonly<Record<string, ErrorCode>>;
  /** In their order. */
  readonly outputs: readonly ObservedOutput[];
  /** Whether the configuration has a ticket system. Without one a step that files a ticket is skipped. */
  readonly hasTickets: boolean;
}

const [folder = '', main = ''] = process.argv.slice(2);
const { alert, playbooks, params, answers, failures, outputs, hasTickets }: Observation = JSON.parse(readFileSync(0, 'utf8'));
printToStandardError();
const pack = await playedPack(folder, main);
const seen: object[] = [];
for (const playbook of pack.playbooks) {
  if (!playbooks.includes(playbook.id)) continue;
  const own = params[playbook.id];
  const used: ObservedAnswer[] = [];
  const given = new Set<string>();
  const story = await simulate(playbook, {
    alert,
    failures,
    outputs: giving(given),
    answer: answering(used),
    ...(own && { params: own }),
  });
  const failed = story.steps.flatMap(({ state, action, isInjected }) => (state === 'failed' && isInjected ? [action] : []));
  seen.push({
    playbook: playbook.id,
    outcome: outcomeOf(story),
    asks: story.questions.map(({ text }) => text),
    answered: used.map(({ text, choice }) => `“${text}”: ${choice}`),
    failed: [...new Set(failed)],
    given: [...given],
  });
}
process.stdout.write(JSON.stringify(seen));

/** Repeats the earlier answer if the same question with that choice is asked; uses each answer once. */
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

/** Repeats the earlier outputs of the same action on the same target; uses each once, and the last one for all later calls. */
function giving(used: Set<string>): Readonly<Record<string, (input: unknown) => object>> {
  const byAction = Map.groupBy(outputs, ({ action }) => action);
  const skipped = hasTickets ? {} : { [openTicket.name]: () => noTicket };
  const asGiven = Object.fromEntries(
    [...byAction].map(([action, steps]) => {
      const left = [...steps];
      const give = (input: unknown): object => {
        const target = targetText(input);
        const place = left.findIndex((one) => one.target === target);
        const found = left[place];
        if (!found) return {};
        if (left.filter((one) => one.target === target).length > 1) left.splice(place, 1);
        used.add(action);
        return isObject(found.output) ? found.output : {};
      };
      return [action, give];
    }),
  );
  return { ...skipped, ...asGiven };
}
