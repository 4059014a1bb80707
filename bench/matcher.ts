import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { serviceNodeFlags } from '../service/launcher/node-flags.mjs';
import { alertAbout, timeOf } from './parts/alerts.ts';
import { OpenLoop } from './parts/open-loop.ts';
import { distribution, loadNow, round, writeResult } from './report.ts';

/**
 * What it costs the intake to ask which playbooks an alert calls for: the shipped ones and a hundred more, five of which count these alerts. Two intakes in
 * one process take the same load in turns, so that whatever else the machine does falls on both.
 */
const token = 'a-token-of-the-benchmark';
const connections = 64;
const scale = Number(process.env.BENCH_SCALE ?? 1);
const rounds = 10;
const perRound = Math.round(6_000 * scale);
const warmUp = Math.round(20_000 * scale);
const mostPercent = 10;

const folder = mkdtempSync(join(tmpdir(), 'firebreak-bench-matcher-'));
const program = join(import.meta.dirname, 'parts/intake/matcher-server.ts');
const server = spawn(process.execPath, [...serviceNodeFlags, program, folder, token], {
  stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
});

/** Its processor time so far, in milliseconds: of a round that takes little, the ticks of /proc tell too little. */
function busyMs(): Promise<number> {
  const answered = once(server, 'message');
  server.send('busy?');
  return answered.then(([{ user, system }]) => (user + system) / 1_000);
}

try {
  const urls = await new Promise<readonly string[]>((done, fail) => {
    server.stdout?.once('data', (data) => done(String(data).trim().split(' ')));
    server.once('exit', (code) => fail(new Error(`the intakes ended with ${code}`)));
  });
  const [none, many] = urls;
  if (none === undefined || many === undefined) throw new Error('the intakes have no addresses');
  let serial = 0;
  const body = (): string => {
    serial += 1;
    return alertAbout({ namespace: 'shop', name: `app${serial % 50}-0` }, { time: timeOf(serial) });
  };
  /** Over connections of its own: those that wait while the other is asked are closed. */
  const load = async (url: string, count: number) => {
    const loop = new OpenLoop({ path: '/v1/alerts/falco', token });
    await loop.open(url, connections);
    const before = await busyMs();
    const { accepted, seconds } = await loop.run({ count, inFlight: 512, body });
    loop.close();
    return { perSecond: accepted / seconds, cpuMs: (((await busyMs()) - before) / count) * 1_000 };
  };
  for (const url of [none, many]) await load(url, warmUp);
  const pairs: { readonly none: Awaited<ReturnType<typeof load>>; readonly many: Awaited<ReturnType<typeof load>> }[] = [];
  for (let round = 0; round < rounds; round += 1) {
    // The one that comes second finds the machine as the first has left it: they take turns in that, too.
    const first = round % 2 === 0 ? await load(none, perRound) : undefined;
    const second = await load(many, perRound);
    pairs.push({ none: first ?? (await load(none, perRound)), many: second });
  }
  const median = (values: readonly number[]): number => distribution(values).p50;
  const lost = median(pairs.map((pair) => 100 * (1 - pair.many.perSecond / pair.none.perSecond)));
  const dearer = median(pairs.map((pair) => 100 * (pair.many.cpuMs / pair.none.cpuMs - 1)));
  const figures = {
    perSecondWithout: round(median(pairs.map(({ none: one }) => one.perSecond))),
    perSecondWith: round(median(pairs.map(({ many: one }) => one.perSecond))),
    percentOfRate: lost,
    cpuMsPerThousandWithout: round(median(pairs.map(({ none: one }) => one.cpuMs))),
    cpuMsPerThousandWith: round(median(pairs.map(({ many: one }) => one.cpuMs))),
    percentOfCpu: dearer,
  };
  console.log(figures);
  writeResult({
    name: 'matcher',
    what: 'What it costs the intake to ask the shipped playbooks and a hundred more about each alert, with and without in turns',
    figures,
    goals: [
      {
        what: 'The matcher costs the intake’s rate',
        goal: `at most ${mostPercent} %`,
        measured: `${lost} % (median of ${rounds} pairs; processor time ${dearer} %)`,
        met: lost <= mostPercent,
      },
    ],
    limitedBy: [
      loadNow(),
      'Sender and intakes share the machine; what the intakes hand over is taken at once, without Temporal.',
    ],
  });
} finally {
  server.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
}
