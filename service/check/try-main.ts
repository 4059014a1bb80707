/** Tries every playbook of a pack, and prints the findings as JSON: see `runPackProgram`. It reads a `Trial`. */
import { readFileSync } from 'node:fs';
import type { GuardrailRules } from '../../core/action/guardrail.ts';
import type { Alert } from '../../core/alert/alert.ts';
import { answering } from '../../core/playbook/answering.ts';
import type { ListedPlaybook } from '../../core/playbook/pack.ts';
import type { ParamValue } from '../../core/playbook/params.ts';
import { playbooks as shippedPlaybooks } from '../../playbooks/index.ts';
import { type EveryAnswer, everyAnswer } from '../../testing/every-answer.ts';
import { exampleAlert, inTime } from '../../testing/example-alert.ts';
import { simulate } from '../../testing/simulate.ts';
import type { Story } from '../../testing/story.ts';
import { isInLoop, withCalled } from '../../testing/walk.ts';
import { playedPack, printToStandardError } from '../packs/loaded-pack.ts';

/** Input for trying the playbooks of a pack. */
export interface Trial {
  /** Alerts that the pack provides; for other playbooks one is made up. */
  readonly alerts: readonly Alert[];
  readonly guardrails?: Partial<GuardrailRules>;
  /** Enabled shipped playbooks that the pack names: its bodies may call them. */
  readonly shipped: readonly string[];
  /** Parameters by playbook, as the configuration sets them. */
  readonly params: Readonly<Record<string, Readonly<Record<string, ParamValue>>>>;
}

/** The result of trying a playbook. */
export interface TriedPlaybook {
  readonly playbook: string;
  /** If no alert could be made up, none of the rest is known. */
  readonly alert?: string;
  readonly problems: readonly string[];
  readonly notices: readonly string[];
  /** What happens on a path, and does not happen when the same path is taken again. */
  readonly unsteady?: string;
  /** Steps that were refused on every path that tried them, and why. */
  readonly alwaysRefused: readonly { readonly action: string; readonly reason: string }[];
  /** Number of paths tried, if there are more. */
  readonly cutAfter?: number;
  /** An earlier playbook in the list, also exclusive and of the same priority, that answers the same alert. */
  readonly runsBeside?: string;
}

/** Caused by what the body asks people to approve, not by a guardrail: reported as an error in the body. */
const ofApproval: ReadonlySet<string | undefined> = new Set(['FB_ERR_PLAN_CHANGED', 'FB_ERR_APPROVAL_INVALID']);

const [folder = '', main = ''] = process.argv.slice(2);
const trial: Trial = JSON.parse(readFileSync(0, 'utf8'));

printToStandardError();
const pack = await playedPack(folder, main);
// An unhandled rejection in a playbook would end this process.
const dropped: unknown[] = [];
process.on('unhandledRejection', (reason) => dropped.push(reason));
const others = [...pack.playbooks, ...shippedPlaybooks.filter(({ id }) => trial.shipped.includes(id))];
const tried: TriedPlaybook[] = [];
for (const playbook of pack.playbooks)
  tried.push({ ...(await tryPlaybook(playbook, trial)), ...besideIn(pack.playbooks, playbook) });
process.stdout.write(JSON.stringify(tried));

/** The author of an exclusive playbook expects it to run alone. */
function besideIn(playbooks: readonly ListedPlaybook[], playbook: ListedPlaybook): Pick<TriedPlaybook, 'runsBeside'> {
  const alert = playbook.exclusive && alertFor(playbook);
  const answers = alert ? answering(playbooks, alert) : [];
  const [other] = answers.slice(0, Math.max(0, answers.indexOf(playbook))).filter(({ exclusive }) => exclusive);
  return other ? { runsBeside: other.id } : {};
}

function alertFor(playbook: ListedPlaybook): Alert | undefined {
  const alerts = trial.alerts.map((one) => inTime(one, [playbook]));
  return alerts.find((one) => answering([playbook], one).length > 0) ?? exampleAlert(playbook);
}

async function tryPlaybook(
  playbook: ListedPlaybook,
  { alerts: _, shipped: __, params, ...settings }: Trial,
): Promise<TriedPlaybook> {
  const alert = alertFor(playbook);
  if (!alert) return { playbook: playbook.id, problems: [], notices: [], alwaysRefused: [] };
  const own = params[playbook.id];
  const options = { ...settings, ...(own && { params: own }) };
  const every = await everyAnswer(playbook, alert, { ...options, others });
  const playbooks = withCalled([playbook], others);
  const unsteady = await unsteadiness(every, (answer) => simulate(playbooks, { ...options, alert, answer }));
  // Node detects them when nothing else is left to do.
  await new Promise((resolve) => setImmediate(resolve));
  const unheard = new Set(dropped.splice(0).map((reason) => (reason instanceof Error ? reason.message : String(reason))));
  return {
    playbook: playbook.id,
    alert: alert.rule,
    problems: [...every.problems, ...[...unheard].map((reason) => `a promise that nothing awaits was rejected: ${reason}`)],
    notices: every.notices,
    alwaysRefused: alwaysRefused(every),
    ...(unsteady !== undefined && { unsteady }),
    // For a loop, the error itself is reported.
    ...(every.isCut && !every.paths.some(({ story }) => isInLoop(story)) && { cutAfter: every.paths.length }),
  };
}

/**
 * Replays each path from its answers alone, twice in a row: the result must be what an incident's history contains, whatever ran before. A restarted worker
 * does the same to every open incident.
 */
async function unsteadiness(
  { paths }: EveryAnswer,
  again: (answers: readonly string[]) => Promise<Story>,
): Promise<string | undefined> {
  for (const { circumstance, turns, story } of paths) {
    const answers = turns.flatMap((turn) => (turn.kind === 'answer' && turn.asker !== 'engine' ? [turn.answer] : []));
    const isPlain = turns.every((turn) => {
      if (turn.kind === 'answer') return turn.asker !== 'engine' || turn.answer === 'silence';
      return turn.kind === 'failure' ? !turn.fails : turn.variant === 0;
    });
    if (circumstance !== 'as given' || !isPlain) continue;
    for (const replayed of [await again(answers), await again(answers)]) {
      const difference = differenceBetween(story, replayed);
      if (difference !== undefined) return difference;
    }
  }
  return undefined;
}

function differenceBetween(first: Story, second: Story): string | undefined {
  const [before, after] = [linesOf(first), linesOf(second)];
  const at = before.findIndex((line, index) => line !== after[index]);
  if (at === -1 && after.length <= before.length) return undefined;
  const place = at === -1 ? before.length : at;
  return `${said(before[place])} the first time, ${said(after[place])} when it is replayed`;
}

function linesOf({ events, end }: Story): readonly string[] {
  return [...events.map(({ kind, text }) => `${kind}: ${text}`), `end: ${end}`];
}

function said(line: string | undefined): string {
  return line === undefined ? 'nothing' : `“${line}”`;
}

function alwaysRefused({ paths }: EveryAnswer): TriedPlaybook['alwaysRefused'] {
  const steps = paths
    .filter(({ circumstance }) => circumstance !== 'caps reached')
    .flatMap(({ story }) => story.steps)
    .filter(({ isInjected, code }) => !isInjected && !ofApproval.has(code));
  return [...Map.groupBy(steps, ({ action }) => action)].flatMap(([action, all]) => {
    const [first] = all;
    return first && all.every(({ state }) => state === 'failed') ? [{ action, reason: first.reason ?? first.code ?? '' }] : [];
  });
}
