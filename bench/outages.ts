import { AlertSender } from './parts/alerts.ts';
import { settle } from './parts/clock.ts';
import { PatchedPods } from './parts/patched.ts';
import { deployPods, openStage, type PodTarget, podsWhenRunning } from './parts/stage.ts';
import { openDoor } from './parts/stalling-proxy.ts';
import { distribution, loadNow, round, say, writeResult } from './report.ts';

const count = Number(process.env.BENCH_COUNT ?? 100);
const rounds = 2;
const warmUps = 10;
const namespaces = { 'bench-warm-up': warmUps, 'bench-well': count, 'bench-stuck': count } as const;
/** How much longer a containment may take at the median than chance alone explains. */
const mostRatio = 1.25;

interface Surroundings {
  readonly slack: { readonly apiUrl: string };
  readonly tickets: { readonly github: { readonly apiUrl: string } };
}

let [slackPort, githubPort] = [0, 0];
const doors = { slack: await openDoor(() => slackPort), github: await openDoor(() => githubPort) };
const behind = (url: string, port: number): string => url.replace(/:\d+/, `:${port}`);
const portOf = (url: string): number => Number(new URL(url).port);

const stage = await openStage({
  nodes: ['node-a', 'node-b'],
  prepare: (api) => deployPods(api, namespaces),
  configure: (config) => {
    const { slack, tickets } = config as unknown as Surroundings;
    [slackPort, githubPort] = [portOf(slack.apiUrl), portOf(tickets.github.apiUrl)];
    return {
      ...config,
      slack: { ...slack, apiUrl: behind(slack.apiUrl, doors.slack.port) },
      tickets: { ...tickets, github: { ...tickets.github, apiUrl: behind(tickets.github.apiUrl, doors.github.port) } },
    };
  },
});
try {
  await measure();
} finally {
  for (const door of Object.values(doors)) door.stop();
  await stage.stop();
}

async function measure(): Promise<void> {
  const { platform, settings, pids } = stage;
  const patched = new PatchedPods(platform.kubernetes.auditLog);
  const sender = new AlertSender(settings);
  const contained = async (pod: PodTarget): Promise<number> => {
    await settle(pids);
    const { sentAt } = await sender.alert(pod);
    return (await patched.at(pod)) - sentAt;
  };
  const podsOf = (namespace: keyof typeof namespaces) => podsWhenRunning(stage.api, namespace, namespaces[namespace]);
  for (const pod of await podsOf('bench-warm-up')) await contained(pod);

  const [well, stuck] = [await podsOf('bench-well'), await podsOf('bench-stuck')];
  const took = { well: [] as number[], stuck: [] as number[] };
  const share = Math.ceil(count / rounds);
  for (let turn = 0; turn < rounds; turn += 1) {
    for (const kind of ['well', 'stuck'] as const) {
      for (const door of Object.values(doors)) door.stuck = kind === 'stuck';
      const pods = kind === 'well' ? well : stuck;
      for (const pod of pods.slice(turn * share, (turn + 1) * share)) took[kind].push(await contained(pod));
      say(
        `turn ${turn + 1} of ${rounds}, ${kind === 'well' ? 'both work' : 'both hang'}: p50 ${distribution(took[kind]).p50} ms of ${took[kind].length}`,
      );
    }
  }
  sender.close();

  const figures = { well: distribution(took.well), stuck: distribution(took.stuck) };
  const ratio = round(figures.stuck.p50 / figures.well.p50);
  writeResult({
    name: 'outages',
    what: 'Milliseconds from the POST of a critical alert until the API server has answered the patch of its quarantine, one at a time, while Slack and the ticket system work, and while both accept every connection but never answer',
    figures: { 'both work': figures.well, 'both hang': figures.stuck, 'ratio p50': ratio },
    goals: [
      {
        what: 'containment while both hang, p50',
        goal: `at most ${mostRatio} × as long`,
        measured: `${ratio} × (${figures.stuck.p50} ms, otherwise ${figures.well.p50} ms)`,
        met: ratio <= mostRatio,
      },
      {
        what: 'containment while both hang, slowest',
        goal: 'at most 1000 ms: no call to them is waited for, whose time-out is 5 s',
        measured: `${figures.stuck.max} ms (otherwise ${figures.well.max} ms)`,
        met: figures.stuck.max <= 1_000,
      },
    ],
    limitedBy: [loadNow()],
  });
}
