import { cpus } from 'node:os';
import { setTimeout as pause } from 'node:timers/promises';

/** Share of all cores that other programs may use on a quiet machine. */
const quietShare = 0.1;
const sampleMs = 1_000;
/** Samples in a row. */
const quietSamples = 3;

interface Surroundings {
  /** Milliseconds that all cores have been busy, and have passed on all of them, since the machine started. */
  readonly ticks: () => { readonly busy: number; readonly all: number };
  readonly sleep: (ms: number) => Promise<unknown>;
  readonly say: (line: string) => void;
}

/** Waits until other programs leave the cores alone, for at most `mostSeconds`. Returns what the result says about it. */
export async function waitForRest(mostSeconds: number, surroundings: Partial<Surroundings> = {}): Promise<string> {
  const { ticks, sleep, say }: Surroundings = { ticks: ticksOfMachine, sleep: pause, say: console.log, ...surroundings };
  if (mostSeconds === 0) return 'did not wait for other programs';
  say(`waiting until other programs use less than ${quietShare * 100} % of the cores, for at most ${mostSeconds} s`);
  let share = 0;
  let quiet = 0;
  for (let passed = 0; passed < mostSeconds * 1_000; passed += sampleMs) {
    const before = ticks();
    await sleep(sampleMs);
    const after = ticks();
    share = (after.busy - before.busy) / Math.max(1, after.all - before.all);
    quiet = share < quietShare ? quiet + 1 : 0;
    if (quiet === quietSamples) return 'the machine was quiet before it';
  }
  const restless = `the machine was not quiet after ${mostSeconds} s: other programs used ${Math.round(share * 100)} % of the cores`;
  say(`goes on: ${restless}`);
  return restless;
}

function ticksOfMachine(): { readonly busy: number; readonly all: number } {
  return cpus().reduce(
    ({ busy, all }, { times: { user, nice, sys, idle, irq } }) => {
      const working = user + nice + sys + irq;
      return { busy: busy + working, all: all + working + idle };
    },
    { busy: 0, all: 0 },
  );
}
