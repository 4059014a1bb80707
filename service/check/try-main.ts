/** Tries every playbook of a pack, and prints what was found as JSON: see `runPackProgram`. It reads a `Trial`. */
import { readFileSync } from 'node:fs';
import type { GuardrailRules } from '../../core/action/guardrail.ts';
import type { Alert } from '../../core/alert/alert.ts';
import { answering } from '../../core/playbook/answering.ts';
import type { ListedPlaybook } from '../../core/playbook/pack.ts';
import type { ParamValue } from '../../core/playbook/params.ts';
import { type EveryAnswer, everyAnswer } from '../../testing/every-answer.ts';
import { exampleAlert, inTime } from '../../testing/example-alert.ts';
import { simulate } from '../../testing/simulate.ts';
import type { Story } from '../../testing/story.ts';
import { isInLoop, withCalled } from '../../testing/walk.ts';
import { playedPack, printToStandardError } from '../packs/loaded-pack.ts';

/** What the playbooks of a pack are tried with. */
export interface Trial {
  /** Those that the pack has to try with; for the others one is made up. */
  readonly alerts: readonly Alert[];
  readonly guardrails?: Partial<GuardrailRules>;
  /** As the configuration sets them, by playbook. */
  readonly params: Readonly<Record<string, Readonly<Record<string, ParamValue>>>>;
}

/** How a playbook stood it. */
export interface TriedPlaybook {
  readonly playbook: string;
  /** Nothing of the rest, where no alert could be made up. */
  readonly alert?: string;
  readonly problems: readonly string[];
  readonly notices: readonly string[];
  /** What happens on a way, and does not when the same is gone again. */
  readonly unsteady?: string;
  /** Steps that were refused on every way on which they were tried, and why. */
  readonly alwaysRefused: readonly { readonly action: string; readonly reason: string }[];
  /** So many ways were tried, of more than there are. */
  readonly cutAfter?: number;
  /** One before it in the list, exclusive as well and of the same priority, that answers the same alert. */
  readonly runsBeside?: string;
}

/** By what the body has people approve, and not by a guardrail: it is told as what the body does wrong. */
const ofApproval: ReadonlySet<string | undefined> = new Set(['FB_ERR_PLAN_CHANGED', 'FB_ERR_APPROVAL_INVALID']);

const [folder = '', main = ''] = process.argv.slice(2);
const trial: Trial = JSON.parse(readFileSync(0, 'utf8'));

printToStandardError();
const pack = await playedPack(folder, main);
// A promise of a playbook's own that fails, and for which nobody waits, would end this process.
const dropped: unknown[] = [];
process.on('unhandledRejection', (reason) => dropped.push(reason));
const tried: TriedPlaybook[] = [];
for (const playbook of pack.playbooks)
  tried.push({ ...(await tryPlaybook(playbook, trial)), ...besideIn(pack.playbooks, playbook) });
process.stdout.write(JSON.stringify(tried));

/** Of an exclusive playbook its author expects that it runs alone. */
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

async function tryPlaybook(playbook: ListedPlaybook, { alerts: _, params, ...settings }: Trial): Promise<TriedPlaybook> {
  const alert = alertFor(playbook);
  if (!alert) return { playbook: playbook.id, problems: [], notices: [], alwaysRefused: [] };
  const own = params[playbook.id];
  const options = { ...settings, ...(own && { params: own }) };
  const every = await everyAnswer(playbook, alert, { ...options, others: pack.playbooks });
  const playbooks = withCalled([playbook], pack.playbooks);
  const unsteady = await unsteadiness(every, (answer) => simulate(playbooks, { ...options, alert, answer }));
  // Node looks for them when nothing else is left to do.
  await new Promise((resolve) => setImmediate(resolve));
  const unheard = new Set(dropped.splice(0).map((reason) => (reason instanceof Error ? reason.message : String(reason))));
  return {
    playbook: playbook.id,
    alert: alert.rule,
    problems: [...every.problems, ...[...unheard].map((reason) => `a promise fails for which nothing waits: ${reason}`)],
    notices: every.notices,
    alwaysRefused: alwaysRefused(every),
    ...(unsteady !== undefined && { unsteady }),
    // Of a loop it is said what is wrong.
    ...(every.isCut && !every.paths.some(({ story }) => isInLoop(story)) && { cutAfter: every.paths.length }),
  };
}

/**
 * Goes each way by answers alone again, twice in a row: what an incident's history holds has to come of it, whatever ran before it. A worker that has
 * restarted does the same to every open incident.
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
