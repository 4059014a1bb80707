import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { serviceNodeFlags } from '../../../service/launcher/node-flags.mjs';
import { distribution, round, say } from '../../report.ts';
import { alertAbout, timeOf } from '../alerts.ts';
import { OpenLoop } from '../open-loop.ts';

const token = 'a-token-of-the-benchmark';
const connections = 64;
const scale = Number(process.env.BENCH_SCALE ?? 1);
const rounds = 10;
const perRound = Math.round(6_000 * scale);
const warmUp = Math.round(20_000 * scale);

/** What the second of two intakes does in addition to the first: see `compared-intakes.ts`. */
export type Compared = 'matcher' | 'novelty';

/**
 * What it costs the intake: two intakes in one process take the same load in turns, so that whatever else the machine does affects both. Medians of the pairs;
 * per cent of the one without.
 */
export async function compareIntakes(compared: Compared) {
  const folder = mkdtempSync(join(tmpdir(), 'firebreak-bench-intakes-'));
  const program = join(import.meta.dirname, 'compared-intakes.ts');
  const server = spawn(process.execPath, [...serviceNodeFlags, program, folder, token, compared], {
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
  });
  try {
    return await measure(server);
  } finally {
    server.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  }
}

async function measure(server: ReturnType<typeof spawn>) {
  /** Its processor time so far, in milliseconds: for a short round, the ticks of /proc are too coarse. */
  const busyMs = (): Promise<number> => {
    const answered = once(server, 'message');
    server.send('busy?');
    return answered.then(([{ user, system }]) => (user + system) / 1_000);
  };
  const urls = await new Promise<readonly string[]>((done, fail) => {
    server.stdout?.once('data', (data) => done(String(data).trim().split(' ')));
    server.once('exit', (code) => fail(new Error(`the intakes exited with ${code}`)));
  });
  const [none, many] = urls;
  if (none === undefined || many === undefined) throw new Error('the intakes have no addresses');
  let serial = 0;
  const body = (): string => {
    serial += 1;
    return alertAbout({ namespace: 'shop', name: `app${serial % 50}-0` }, { time: timeOf(serial) });
  };
  /** Over its own connections: those that are idle while the other intake has its turn are closed. */
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
  for (let nth = 0; nth < rounds; nth += 1) {
    // The second finds the machine as the first left it, so they also take turns in going first.
    const first = nth % 2 === 0 ? await load(none, perRound) : undefined;
    const second = await load(many, perRound);
    const without = first ?? (await load(none, perRound));
    pairs.push({ none: without, many: second });
    say(`round ${nth + 1} of ${rounds}: ${round(without.cpuMs)} ms of CPU for 1 000 alerts without, ${round(second.cpuMs)} with`);
  }
  const median = (values: readonly number[]): number => distribution(values).p50;
  return {
    rounds,
    perSecondWithout: round(median(pairs.map(({ none: one }) => one.perSecond))),
    perSecondWith: round(median(pairs.map(({ many: one }) => one.perSecond))),
    percentOfRate: median(pairs.map((pair) => 100 * (1 - pair.many.perSecond / pair.none.perSecond))),
    cpuMsPerThousandWithout: round(median(pairs.map(({ none: one }) => one.cpuMs))),
    cpuMsPerThousandWith: round(median(pairs.map(({ many: one }) => one.cpuMs))),
    percentOfCpu: median(pairs.map((pair) => 100 * (pair.many.cpuMs / pair.none.cpuMs - 1))),
  };
}
