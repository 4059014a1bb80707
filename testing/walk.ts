import type { GuardrailRules } from '../core/action/guardrail.ts';
import type { Alert } from '../core/alert/alert.ts';
import type { Match } from '../core/playbook/match.ts';
import type { ListedPlaybook } from '../core/playbook/pack.ts';
import { type Chooser, type SimulateOptions, withGiven } from './chooser.ts';
import type { SimulatedQuestion } from './people.ts';
import { runStory, watched } from './simulate.ts';
import type { Failure, SimulatedCall } from './simulated-actions.ts';
import type { Story } from './story.ts';

/** One point at which it could have been otherwise, and how it was. */
export type PathTurn =
  | { readonly kind: 'answer'; readonly question: string; readonly asker: string; readonly answer: string }
  | { readonly kind: 'failure'; readonly action: string; readonly does: SimulatedCall['does']; readonly fails: boolean }
  /** Which of what the action may give back; 0 is the plainest. */
  | { readonly kind: 'output'; readonly action: string; readonly variant: number; readonly said: string };

/** Circumstances other than those of the test: each is walked with all answers, too. */
export type Circumstance = 'as given' | 'least severity' | 'caps reached';

/** One way through a playbook, to its end. */
export interface Path {
  readonly circumstance: Circumstance;
  readonly turns: readonly PathTurn[];
  readonly story: Story;
}

export interface WalkOptions extends Omit<SimulateOptions, 'answer' | 'failures' | 'outputs'> {
  /** What actions give back, by name; a list: each of them is tried. */
  readonly outputs?: Readonly<Record<string, object | readonly object[] | ((input: never) => object)>>;
  /** Further playbooks that are enabled: they run where this one calls them (`runPlaybook`), and for no alert. */
  readonly others?: readonly ListedPlaybook[];
  /** Simulations at most; 300, where nothing is said. */
  readonly mostRuns?: number;
  /** With these many simulations in all, two failures in one run are tried, too; 60, where nothing is said. */
  readonly mostWithPairs?: number;
}

interface Walked {
  readonly paths: readonly Path[];
  /** Ways that were not gone any more: `mostRuns` was reached. */
  readonly isCut: boolean;
  /** Of two failures in one run, all were tried. */
  readonly allPairs: boolean;
}

const simulatedFailure: Failure = { code: 'FB_ERR_REFUSED', reason: 'it fails, in this simulation' };

interface Point {
  readonly turn: PathTurn;
  /** Of a step at whose output nobody has looked, so far. */
  unlooked?: string;
  readonly options: number;
  /** Besides what goes as it should: counted, so that not everything fails with everything. */
  readonly isDeviation: boolean;
}

/** What hears of the run that is underway that its body looks at the output of the step with this key. */
interface Look {
  at: (key: string) => void;
}

interface Script {
  readonly choices: readonly number[];
  readonly deviations: number;
}

const answersNothing: Match = { rule: '' };

/** With those that they may call: of these none runs for an alert. */
export function withCalled(playbooks: readonly ListedPlaybook[], others: readonly ListedPlaybook[]): readonly ListedPlaybook[] {
  const isThere = new Set(playbooks.map(({ id }) => id));
  const called = others.filter(({ id }) => !isThere.has(id));
  return [...playbooks, ...called.map((other) => ({ ...other, on: { ...other.on, match: answersNothing } }))];
}

/** Goes every way through a playbook: each choice and silence at each question, and each step, plan and release failing, one at a time. */
export async function walk(playbook: ListedPlaybook, options: WalkOptions): Promise<Walked> {
  const { mostRuns = 300, mostWithPairs = 60, others = [] } = options;
  const paths: Path[] = [];
  let isCut = false;
  let allPairs = true;
  const look: Look = { at: () => undefined };
  // One list for all runs.
  const playbooks = withCalled([watched(playbook, (key) => look.at(key))], others);
  for (const [circumstance, changed] of circumstances(playbook, options)) {
    // Ways with fewer failures first.
    const waiting: Script[][] = [[{ choices: [], deviations: 0 }], [], []];
    const mostDeviations = circumstance === 'as given' ? 2 : 0;
    if (circumstance === 'caps reached' && !paths.some(({ story }) => containsUnasked(story))) continue;
    for (let deviations = 0; deviations <= mostDeviations; ) {
      const script = waiting[deviations]?.shift();
      if (!script) {
        deviations += 1;
        continue;
      }
      if (deviations === 2 && paths.length >= mostWithPairs) {
        allPairs = false;
        break;
      }
      if (paths.length >= mostRuns) {
        isCut = true;
        break;
      }
      const { points, taken, story } = await follow({ playbooks, look }, { ...options, ...changed }, script);
      // The playbook may well say that it does not answer that.
      if (story.end === 'unmatched' && circumstance !== 'as given') break;
      paths.push({ circumstance, turns: points.map(({ turn }) => turn), story });
      for (let at = script.choices.length; at < points.length; at += 1) {
        const point = points[at];
        const more = deviations + (point?.isDeviation ? 1 : 0);
        if (point?.unlooked !== undefined) continue;
        for (let option = 1; point && more <= mostDeviations && option < point.options; option += 1)
          waiting[more]?.push({ choices: [...taken.slice(0, at), option], deviations: more });
      }
    }
  }
  return { paths, isCut, allPairs };
}

function circumstances(
  { on }: ListedPlaybook,
  { alert, guardrails }: WalkOptions,
): readonly (readonly [Circumstance, { readonly alert: Alert; readonly guardrails?: Partial<GuardrailRules> }])[] {
  const given = { alert, ...(guardrails && { guardrails }) };
  return [
    ['as given', given],
    ...(alert.severity === on.minSeverity
      ? []
      : [['least severity', { ...given, alert: { ...alert, severity: on.minSeverity } }] as const]),
    ['caps reached', { alert, guardrails: { ...guardrails, clusterCap: 0, namespaceReserve: 0 } }],
  ];
}

function containsUnasked({ steps }: Story): boolean {
  return steps.some(({ state, effect, approvedBy }) => state === 'done' && effect === 'reversible' && approvedBy.length === 0);
}

/** One run by a script: beyond its end everything goes as it should. */
async function follow(
  { playbooks, look }: { readonly playbooks: readonly ListedPlaybook[]; readonly look: Look },
  { outputs = {}, ...options }: WalkOptions,
  { choices }: Script,
): Promise<{ readonly points: readonly Point[]; readonly taken: readonly number[]; readonly story: Story }> {
  const points: Point[] = [];
  const taken: number[] = [];
  const turn = (optionCount: number, isDeviation: boolean, turnOf: (option: number) => PathTurn, unlooked?: string): number => {
    const option = choices[points.length] ?? 0;
    taken.push(option);
    points.push({ turn: turnOf(option), options: optionCount, isDeviation, ...(unlooked !== undefined && { unlooked }) });
    return option;
  };
  const chooser: Chooser = {
    answer: ({ text, asker, choices: offered }: SimulatedQuestion) => {
      const ids = offered.map(({ id }) => id);
      // What the engine asks comes on top: there it is silence first.
      const answers = asker === 'engine' ? [silence, ...ids] : [...ids, silence];
      const answerAt = (option: number): string => answers[option] ?? silence;
      const option = turn(answers.length, false, (at) => ({ kind: 'answer', question: text, asker, answer: answerAt(at) }));
      return answerAt(option);
    },
    failure: ({ action, does }) => {
      const option = turn(2, true, (at) => ({ kind: 'failure', action, does, fails: at === 1 }));
      return option === 1 ? simulatedFailure : undefined;
    },
    output: ({ action, input, key }, samples) => {
      const given = outputs[action];
      const isList = Array.isArray(given);
      const [plainest] = samples;
      const variants: readonly (() => unknown)[] = isList
        ? given.map((one: object) => () => withGiven(one, input, plainest?.()))
        : given === undefined
          ? samples
          : [() => withGiven(given as object, input, plainest?.())];
      if (variants.length < 2) return variants[0]?.();
      const turnOf = (at: number): PathTurn => ({
        kind: 'output',
        action,
        variant: at,
        said: at === 0 ? '' : differenceOf(variants[at]?.(), variants[0]?.()),
      });
      const option = turn(variants.length, !isList, turnOf, key);
      return variants[option]?.();
    },
  };
  look.at = (key) => {
    for (const point of points) if (point.unlooked === key) delete point.unlooked;
  };
  const story = await runStory(playbooks, options, chooser);
  return { points, taken, story };
}

export const silence = 'silence';

/** Said of an output of which every list is empty. */
export const nothing = 'nothing';

/** In which fields an output is otherwise than the plainest: `signature unsigned`, `without secrets`. */
function differenceOf(output: unknown, plainest: unknown): string {
  const before = plainest as Readonly<Record<string, unknown>>;
  const isEmpty = (value: unknown): boolean => Array.isArray(value) && value.length === 0;
  const differing = Object.entries(output as object).filter(
    ([field, value]) => JSON.stringify(value) !== JSON.stringify(before[field]),
  );
  const lists = Object.values(output as object).filter(Array.isArray);
  if (differing.every(([, value]) => isEmpty(value)) && lists.every(isEmpty)) return nothing;
  return differing
    .map(([field, value]) => (typeof value === 'string' ? `${field} ${value}` : isEmpty(value) ? `without ${field}` : field))
    .join(', ');
}
