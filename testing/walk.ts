import type { GuardrailRules } from '../core/action/guardrail.ts';
import type { Alert } from '../core/alert/alert.ts';
import { isAskedAbout } from '../core/assessment/contained-at-once.ts';
import type { Assessment } from '../core/assessment/response.ts';
import type { Match } from '../core/playbook/match.ts';
import type { ListedPlaybook } from '../core/playbook/pack.ts';
import { type Chooser, type SimulateOptions, withGiven } from './chooser.ts';
import type { SimulatedQuestion } from './people.ts';
import { runStory } from './simulate.ts';
import type { Failure, SimulatedCall } from './simulated-actions.ts';
import { alertsOf } from './stage.ts';
import type { Story } from './story.ts';
import { Looks } from './watch/looks.ts';

/** One point at which the run could have gone another way, and which way it went. */
export type PathTurn =
  | { readonly kind: 'answer'; readonly question: string; readonly asker: string; readonly answer: string }
  | { readonly kind: 'failure'; readonly action: string; readonly does: SimulatedCall['does']; readonly fails: boolean }
  /** Index of the output that the action returned; 0 is the plainest. */
  | { readonly kind: 'output'; readonly action: string; readonly variant: number; readonly said: string };

/** Circumstances other than those of the test: each is also walked with all answers. */
export type Circumstance = 'as given' | 'least severity' | 'caps reached';

/** One path through a playbook, to its end. */
export interface Path {
  readonly circumstance: Circumstance;
  readonly turns: readonly PathTurn[];
  readonly story: Story;
}

export interface WalkOptions extends Omit<SimulateOptions, 'answer' | 'failures' | 'outputs'> {
  /** Outputs of actions, by name; for a list, each entry is tried. */
  readonly outputs?: Readonly<Record<string, object | readonly object[] | ((input: never) => object)>>;
  /** Further enabled playbooks: they run if this one calls them (`runPlaybook`), but for no alert. */
  readonly others?: readonly ListedPlaybook[];
  /** Maximum number of simulations; 300 by default. Stops early after three that end in a loop. */
  readonly mostRuns?: number;
  /** Up to this many simulations in total, two failures in one run are tried too; 45 by default. */
  readonly mostWithPairs?: number;
}

interface Walked {
  readonly paths: readonly Path[];
  /** Whether paths were left out because `mostRuns` was reached. */
  readonly isCut: boolean;
  /** Whether all pairs of failures in one run were tried. */
  readonly allPairs: boolean;
}

/** Within one run. */
const mostFailures = 2;
/** This many paths that end in a loop are enough; each takes as long as hundreds of others. */
const mostLoops = 3;
/** Points considered on a path that ends in a loop: the rest only repeats. */
const pointsOfLoop = 20;
const simulatedFailure: Failure = { code: 'FB_ERR_REFUSED', reason: 'it fails, in this simulation' };

/** One point at which a run could have gone another way, under the same name in each run that reaches it. */
interface Point {
  readonly name: string;
  readonly turn: PathTurn;
  readonly options: number;
  /** Deviates from the normal course: counted, so that not everything fails together with everything. */
  readonly isDeviation: boolean;
  /** Whether the body has not looked at it so far, so that nothing after it would change. */
  readonly isUnseen: () => boolean;
  /** Points that return the same value make a difference together. */
  readonly together: () => string | undefined;
}

/** Where one run departs from the usual course. */
interface Script {
  /** Name of a point → index of the chosen option. */
  readonly choices: ReadonlyMap<string, number>;
  readonly deviations: number;
  /** Points before the last of these that no body had looked at: one may do so after this choice. */
  readonly unseen: ReadonlySet<string>;
  /** Those of them that made no difference together with others. */
  readonly alone: ReadonlySet<string>;
  /** Nothing else is combined with it: nobody has looked at its last choice. */
  readonly isLast: boolean;
}

const asUsual: Script = { choices: new Map(), deviations: 0, unseen: new Set(), alone: new Set(), isLast: false };

const never = { isUnseen: () => false, together: () => undefined };

const answersNothing: Match = { rule: '' };

/** Adds the playbooks that these may call; the added ones run for no alert. */
export function withCalled(playbooks: readonly ListedPlaybook[], others: readonly ListedPlaybook[]): readonly ListedPlaybook[] {
  const isThere = new Set(playbooks.map(({ id }) => id));
  const called = others.filter(({ id }) => !isThere.has(id));
  return [...playbooks, ...called.map((other) => ({ ...other, on: { ...other.on, match: answersNothing } }))];
}

/** Walks every path through a playbook: each choice and silence at each question, and each step, plan and release failing, one at a time. */
export async function walk(playbook: ListedPlaybook, options: WalkOptions): Promise<Walked> {
  const { mostRuns = 300, mostWithPairs = 45, others = [] } = options;
  const paths: Path[] = [];
  let isCut = false;
  let allPairs = true;
  let loops = 0;
  const looks = new Looks({ mostFailures });
  // One list shared by all runs.
  const playbooks = withCalled([playbook], others).map((one) => looks.watch(one));
  for (const [circumstance, changed] of circumstances(playbook, options)) {
    // Paths with fewer failures first.
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
      // The playbook may well state that it does not answer that.
      if (story.end === 'unmatched' && circumstance !== 'as given') break;
      paths.push({ circumstance, turns: points.map(({ turn }) => turn), story });
      const inLoop = isInLoop(story);
      if (inLoop) loops += 1;
      for (const further of furtherFrom(script, inLoop ? points.slice(0, pointsOfLoop) : points)) {
        const those = waiting[further.deviations];
        // No more than these are walked.
        if (further.deviations <= mostDeviations && those && those.length < mostRuns) those.push(further);
      }
    }
  }
  return { paths, isCut, allPairs };
}

/**
 * Returns what else to try after a run by this script: each other option at each point after its last choice, and at earlier points if a body has looked at
 * them only after that choice. A point nobody has looked at fails once by itself, and is combined with later ones only if somebody looks. No two runs share a
 * script.
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

/** What people are asked about at any severity. */
const asked: Assessment = {
  response: 'ask',
  pages: false,
  would: 'ask',
  wouldPage: false,
  mode: 'contain',
  profile: 'balanced',
  scope: 'every pod',
  onSilence: 'nothing',
  reasons: ['it was not the first act on its pod'],
};

/** The alert as a cell could assess it so that its playbook has something to ask: alone, it may only be filed. */
function answerable(playbook: ListedPlaybook, options: WalkOptions): Alert {
  const { alert } = options;
  const [alone = { alert }] = alertsOf([playbook], options);
  return isAskedAbout(alone.alert) ? alone.alert : { ...alert, assessment: asked };
}

function circumstances(
  playbook: ListedPlaybook,
  options: WalkOptions,
): readonly (readonly [Circumstance, { readonly alert: Alert; readonly guardrails?: Partial<GuardrailRules> }])[] {
  const { on } = playbook;
  const { guardrails } = options;
  const alert = answerable(playbook, options);
  const given = { alert, ...(guardrails && { guardrails }) };
  return [
    ['as given', given],
    ...(alert.severity === on.minSeverity
      ? []
      : [['least severity', { ...given, alert: { ...alert, severity: on.minSeverity, assessment: asked } }] as const]),
    ['caps reached', { alert, guardrails: { ...guardrails, clusterCap: 0, namespaceReserve: 0 } }],
  ];
}

/** Whether its body goes on for ever, or would. */
export function isInLoop({ end, error }: Story): boolean {
  return end === 'endless' || error?.code === 'FB_ERR_PLAYBOOK_LOOPS';
}

function containsUnasked({ steps }: Story): boolean {
  return steps.some(({ state, effect, approvedBy }) => state === 'done' && effect === 'reversible' && approvedBy.length === 0);
}

/** Runs one script: points that it does not name take their normal course. */
async function follow(
  on: { readonly playbooks: readonly ListedPlaybook[]; readonly looks: Looks; readonly circumstance: Circumstance },
  { outputs = {}, ...options }: WalkOptions,
  { choices }: Script,
): Promise<{ readonly points: readonly Point[]; readonly story: Story }> {
  const { playbooks, looks, circumstance } = on;
  const points: Point[] = [];
  const times = new Map<string, number>();
  const turn = (point: Omit<Point, 'turn'>, turnOf: (option: number) => PathTurn): number => {
    // A question may be asked twice, and a step may be retried.
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
      // The engine's questions are additional: for those, silence is the default.
      const answers = asker === 'engine' ? [silence, ...ids] : [...ids, silence];
      const answerAt = (option: number): string => answers[option] ?? silence;
      // What people have let the engine do is done: all their later questions are also asked without a cap.
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

/** Whether people have approved every step that the engine asked about because it could not run at once. */
function isLetThrough(points: readonly Point[]): boolean {
  const answers = points.flatMap(({ turn }) => (turn.kind === 'answer' && turn.asker === 'engine' ? [turn.answer] : []));
  return answers.length > 0 && answers.every((answer) => answer === 'apply');
}

/** Description of an output whose lists are all empty. */
export const nothing = 'nothing';

/** The fields in which an output differs from the plainest: `signature unsigned`, `without secrets`. */
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
