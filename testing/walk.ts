import type { GuardrailRules } from '../core/action/guardrail.ts';
import type { Alert } from '../core/alert/alert.ts';
import type { Match } from '../core/playbook/match.ts';
import type { ListedPlaybook } from '../core/playbook/pack.ts';
import { type Chooser, type SimulateOptions, withGiven } from './chooser.ts';
import type { SimulatedQuestion } from './people.ts';
import { runStory } from './simulate.ts';
import type { Failure, SimulatedCall } from './simulated-actions.ts';
import type { Story } from './story.ts';
import { Looks } from './watch/looks.ts';

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
  /** Simulations at most; 300, where nothing is said. After three that end in a loop it is enough. */
  readonly mostRuns?: number;
  /** With these many simulations in all, two failures in one run are tried, too; 45, where nothing is said. */
  readonly mostWithPairs?: number;
}

interface Walked {
  readonly paths: readonly Path[];
  /** Ways that were not gone any more: `mostRuns` was reached. */
  readonly isCut: boolean;
  /** Of two failures in one run, all were tried. */
  readonly allPairs: boolean;
}

/** In one run. */
const mostFailures = 2;
/** So many ways that end in a loop say it all, and each takes as long as hundreds of others. */
const mostLoops = 3;
/** Of a way that ends in a loop: the rest is the same again and again. */
const pointsOfLoop = 20;
const simulatedFailure: Failure = { code: 'FB_ERR_REFUSED', reason: 'it fails, in this simulation' };

/** One point at which a run could have gone otherwise, under the same name in each run that comes by it. */
interface Point {
  readonly name: string;
  readonly turn: PathTurn;
  readonly options: number;
  /** Besides what goes as it should: counted, so that not everything fails with everything. */
  readonly isDeviation: boolean;
  /** As far as the body has looked: nothing that comes after it would be otherwise. */
  readonly isUnseen: () => boolean;
  /** It makes a difference together with each other point of which this is the same. */
  readonly together: () => string | undefined;
}

/** What one run does otherwise than it usually goes. */
interface Script {
  /** Name of a point → which of its options. */
  readonly choices: ReadonlyMap<string, number>;
  readonly deviations: number;
  /** Points before the last of these, at which no body had looked: it may do so after this choice. */
  readonly unseen: ReadonlySet<string>;
  /** Those of them that made no difference together with others. */
  readonly alone: ReadonlySet<string>;
  /** Nothing else is tried with it: nobody has looked at its last choice. */
  readonly isLast: boolean;
}

const asUsual: Script = { choices: new Map(), deviations: 0, unseen: new Set(), alone: new Set(), isLast: false };

const never = { isUnseen: () => false, together: () => undefined };

const answersNothing: Match = { rule: '' };

/** With those that they may call: of these none runs for an alert. */
export function withCalled(playbooks: readonly ListedPlaybook[], others: readonly ListedPlaybook[]): readonly ListedPlaybook[] {
  const isThere = new Set(playbooks.map(({ id }) => id));
  const called = others.filter(({ id }) => !isThere.has(id));
  return [...playbooks, ...called.map((other) => ({ ...other, on: { ...other.on, match: answersNothing } }))];
}

/** Goes every way through a playbook: each choice and silence at each question, and each step, plan and release failing, one at a time. */
export async function walk(playbook: ListedPlaybook, options: WalkOptions): Promise<Walked> {
  const { mostRuns = 300, mostWithPairs = 45, others = [] } = options;
  const paths: Path[] = [];
  let isCut = false;
  let allPairs = true;
  let loops = 0;
  const looks = new Looks({ mostFailures });
  // One list for all runs.
  const playbooks = withCalled([playbook], others).map((one) => looks.watch(one));
  for (const [circumstance, changed] of circumstances(playbook, options)) {
    // Ways with fewer failures first.
    const waiting: Script[][] = [[asUsual], [], []];
    const mostDeviations = circumstance === 'as given' ? mostFailures : 0;
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
      if (paths.length >= mostRuns || loops >= mostLoops) {
        isCut = true;
        break;
      }
      const { points, story } = await follow({ playbooks, looks, circumstance }, { ...options, ...changed }, script);
      // The playbook may well say that it does not answer that.
      if (story.end === 'unmatched' && circumstance !== 'as given') break;
      paths.push({ circumstance, turns: points.map(({ turn }) => turn), story });
      const inLoop = isInLoop(story);
      if (inLoop) loops += 1;
      for (const further of furtherFrom(script, inLoop ? points.slice(0, pointsOfLoop) : points)) {
        const those = waiting[further.deviations];
        // More than these are not gone.
        if (further.deviations <= mostDeviations && those && those.length < mostRuns) those.push(further);
      }
    }
  }
  return { paths, isCut, allPairs };
}

/**
 * What is to be tried besides, after a run by this script: each other option at each point behind its last choice, and before it where a body has looked
 * only after that choice. What nobody has looked at fails once by itself, and with what comes after it only where somebody looks. No two runs have one script.
 */
function furtherFrom(script: Script, points: readonly Point[]): readonly Script[] {
  if (script.isLast) return [];
  const last = points.findLastIndex(({ name }) => script.choices.has(name));
  const isLate = (point: Point, at: number): boolean => at < last && script.unseen.has(point.name) && !point.isUnseen();
  const scriptOf = (added: readonly (readonly [Point, number])[], at: number, late: boolean): Script => {
    const before = points.slice(0, Math.max(at, last)).filter((one) => !added.some(([point]) => point === one));
    const unseen = before.filter(
      (one) => one.isUnseen() || (late && isLate(one, points.indexOf(one)) && points.indexOf(one) > at),
    );
    return {
      choices: new Map([...script.choices, ...added.map(([{ name }, option]) => [name, option] as const)]),
      deviations: script.deviations + added.filter(([{ isDeviation }]) => isDeviation).length,
      unseen: new Set(unseen.map(({ name }) => name)),
      alone: new Set(before.filter((one) => one.together() === undefined).map(({ name }) => name)),
      isLast: added.every(([point]) => point.isUnseen()) && added.length === 1,
    };
  };
  const single = points.flatMap((point, at) => {
    const late = isLate(point, at);
    if ((point.isUnseen() && point.turn.kind === 'output') || (at <= last && !late)) return [];
    return Array.from({ length: point.options - 1 }, (_, index) => scriptOf([[point, index + 1]], at, late));
  });
  const isNew = (point: Point, at: number): boolean => at > last || script.alone.has(point.name);
  const pairs = points.flatMap((point, at) =>
    points.slice(at + 1).flatMap((other, after) => {
      const isPair = point.together() !== undefined && point.together() === other.together();
      return isPair && isNew(other, at + 1 + after)
        ? [
            scriptOf(
              [
                [point, 1],
                [other, 1],
              ],
              at + 1 + after,
              false,
            ),
          ]
        : [];
    }),
  );
  return [...single, ...pairs];
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

/** Its body goes on for ever, or would. */
export function isInLoop({ end, error }: Story): boolean {
  return end === 'endless' || error?.code === 'FB_ERR_PLAYBOOK_LOOPS';
}

function containsUnasked({ steps }: Story): boolean {
  return steps.some(({ state, effect, approvedBy }) => state === 'done' && effect === 'reversible' && approvedBy.length === 0);
}

/** One run by a script: what this does not name goes as it should. */
async function follow(
  on: { readonly playbooks: readonly ListedPlaybook[]; readonly looks: Looks; readonly circumstance: Circumstance },
  { outputs = {}, ...options }: WalkOptions,
  { choices }: Script,
): Promise<{ readonly points: readonly Point[]; readonly story: Story }> {
  const { playbooks, looks, circumstance } = on;
  const points: Point[] = [];
  const times = new Map<string, number>();
  const turn = (point: Omit<Point, 'turn'>, turnOf: (option: number) => PathTurn): number => {
    // A question may be asked twice, and a step tried again.
    const nth = (times.get(point.name) ?? 0) + 1;
    times.set(point.name, nth);
    const name = `${point.name} #${nth}`;
    const option = choices.get(name) ?? 0;
    points.push({ ...point, name, turn: turnOf(option) });
    return option;
  };
  const chooser: Chooser = {
    answer: ({ text, asker, choices: offered }: SimulatedQuestion) => {
      const ids = offered.map(({ id }) => id);
      // What the engine asks comes on top: there it is silence first.
      const answers = asker === 'engine' ? [silence, ...ids] : [...ids, silence];
      const answerAt = (option: number): string => answers[option] ?? silence;
      // What people have let the engine do is done: all that they are asked after it, they are asked without a cap, too.
      const isAsGiven = circumstance === 'caps reached' && asker !== 'engine' && isLetThrough(points);
      const option = turn(
        { name: `${asker} asks ${text}`, options: isAsGiven ? 1 : answers.length, isDeviation: false, ...never },
        (at) => ({
          kind: 'answer',
          question: text,
          asker,
          answer: answerAt(at),
        }),
      );
      return answerAt(option);
    },
    failure: ({ action, does, key }) => {
      const heed = {
        isUnseen: () => does === 'apply' && looks.isUnheeded(key),
        together: () => (does === 'apply' ? looks.isHeededWith(key) : undefined),
      };
      const option = turn({ name: `${does} ${key}`, options: 2, isDeviation: true, ...heed }, (at) => ({
        kind: 'failure',
        action,
        does,
        fails: at === 1,
      }));
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
      const point = {
        name: `output ${key}`,
        options: variants.length,
        isDeviation: !isList,
        isUnseen: () => looks.isUnseen(key),
        together: never.together,
      };
      const option = turn(point, turnOf);
      return variants[option]?.();
    },
  };
  looks.begin();
  const story = await runStory(playbooks, options, chooser);
  return { points, story };
}

export const silence = 'silence';

/** What the engine has asked about, since it could not be done at once, people have wanted each time. */
function isLetThrough(points: readonly Point[]): boolean {
  const answers = points.flatMap(({ turn }) => (turn.kind === 'answer' && turn.asker === 'engine' ? [turn.answer] : []));
  return answers.length > 0 && answers.every((answer) => answer === 'apply');
}

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
