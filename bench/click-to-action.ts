import { setTimeout as sleep } from 'node:timers/promises';
import { people } from '../tools/demo/settings.ts';
import { AlertSender } from './parts/alerts.ts';
import { clickPaths, type MeasuredClick, pathParts } from './parts/click-path.ts';
import { idle, setClock, wallClock } from './parts/clock.ts';
import { PatchedPods } from './parts/patched.ts';
import { SlackClicks } from './parts/slack-clicks.ts';
import { deployPods, inParallel, openStage, type PodTarget, podsWhenRunning } from './parts/stage.ts';
import { distribution, loadNow, say, writeResult } from './report.ts';

const count = Number(process.env.BENCH_COUNT ?? 100);
const openIncidents = Number(process.env.BENCH_OPEN ?? 1_000);
const warmUps = 5;
const namespace = 'bench-click';
/** A rule for which a playbook asks first, and one that no playbook matches: its incident is open, but asks nobody. */
const rules = { asks: 'Run shell untrusted', isOnlySeen: 'Create Symlink Over Sensitive Files' } as const;
const label = 'No: quarantine pod';
const [ada] = people;

interface TimedClick extends MeasuredClick {
  /** Time from the click until its dialog was open. */
  readonly openedMs: number;
  /** Time until the desk had answered the submitted dialog. */
  readonly answered: number;
}

const stage = await openStage({
  nodes: ['node-a', 'node-b'],
  prepare: (api) => deployPods(api, { [namespace]: count + warmUps }),
  configure: (config) => ({ ...config, incidents: { lingerSeconds: 86_400 } }),
});
try {
  await measure();
} finally {
  await stage.stop();
}

async function measure(): Promise<void> {
  const patched = new PatchedPods(stage.platform.kubernetes.auditLog);
  const sender = new AlertSender(stage.settings, 20);
  const slack = new SlackClicks(stage.settings);
  const pods = await podsWhenRunning(stage.api, namespace, count + warmUps);

  // Slack accepts one card per second: they arrive while the other incidents open.
  say(`posting ${pods.length} questions, and opening ${openIncidents} other incidents`);
  await inParallel(pods, 4, (pod) => sender.alert(pod, { rule: rules.asks, priority: 'Notice' }));
  await inParallel(Array.from({ length: openIncidents }), 10, (_, index) =>
    // Pods that do not exist, named so that each is its own workload.
    sender.alert({ namespace: 'bench-open', name: `open${index}` }, { rule: rules.isOnlySeen, priority: 'Notice' }),
  );
  const wanted = openIncidents + pods.length;
  const open = await stage.incidentsOpen(wanted, 300_000);
  if (open < wanted) throw new Error(`only ${open} of ${wanted} incidents are open`);
  say(`${open} incidents are open, after ${Math.round(performance.now() / 1_000)} s`);
  for (const [index, pod] of pods.entries()) {
    await slack.card(pod.name, label, 180_000);
    if (index % 20 === 19) say(`${index + 1} of ${pods.length} questions have their card`);
  }
  // The desk ignores clicks on a card that was just edited: see its rule for clicks.
  await sleep(3_000);
  await idle({ pids: [stage.servicePid], share: 0.3, withinMs: 60_000 });
  say(`every question has its card, after ${Math.round(performance.now() / 1_000)} s`);

  const clicked = async (pod: PodTarget): Promise<TimedClick> => {
    const shown = await slack.card(pod.name, label, 1_000);
    // A person clicks when the work caused by the last click is done, and the machine is otherwise idle.
    await idle({ pids: stage.pids, share: 0.3, withinMs: 3_000 });
    const dialog = await slack.openDialog(ada.slack, shown);
    await idle({ pids: stage.pids, share: 0.3, withinMs: 3_000 });
    setClock();
    const sentAt = wallClock();
    const status = await slack.submit(dialog);
    const answered = wallClock() - sentAt;
    if (status !== 200) throw new Error(`the desk returned ${status} for a dialog`);
    const { openedMs } = dialog;
    return { workload: `Deployment/${pod.labels.app}`, openedMs, sentAt, answered, patchedAt: await patched.at(pod) };
  };

  for (const pod of pods.slice(0, warmUps)) await clicked(pod);
  const clicks: TimedClick[] = [];
  for (const pod of pods.slice(warmUps)) {
    clicks.push(await clicked(pod));
    if (clicks.length % 10 === 0) say(`${clicks.length} of ${count} clicks, after ${Math.round(performance.now() / 1_000)} s`);
  }
  slack.close();
  sender.close();

  const answers = clicks.map(({ answered }) => answered);
  const actions = clicks.map(({ sentAt, patchedAt }) => patchedAt - sentAt);
  const paths = await clickPaths(stage.platform.temporal, clicks);
  const [answer, action] = [distribution(answers), distribution(actions)];
  const stillOpen = await stage.incidentsOpen(openIncidents, 1_000);
  writeResult({
    name: 'click-to-action',
    what: `Milliseconds from sending off the signed dialog of “${label}” until the API server has answered the patch that the vote caused (its audit log), and until the desk has answered the dialog, with ${openIncidents} other incidents open that ask nobody, and the open questions of those that are clicked on. The parts are read from the incidents’ histories`,
    figures: {
      'click to action': action,
      ...Object.fromEntries(pathParts.map((part) => [`of it: ${part}`, distribution(paths.map((path) => path[part]))])),
      'answer to Slack': answer,
      'button until the dialog is open, as the stand-in for Slack saw it': distribution(clicks.map(({ openedMs }) => openedMs)),
      'incidents open at the end': stillOpen,
    },
    goals: [
      goal('click to action, p50', action.p50, 60),
      goal('click to action, p99', action.p99, 250),
      goal(`answer to Slack with ${openIncidents} incidents open, p99`, answer.p99, 300),
    ],
    limitedBy: [
      'Between click and patch there are one signal, two workflow tasks and two activities, each durable in the Temporal server before the next begins: the vote is checked in the cell, and its step planned and applied.',
      loadNow(),
    ],
  });
}

function goal(what: string, value: number, most: number) {
  return { what, goal: `at most ${most} ms`, measured: `${value} ms`, met: value <= most };
}
