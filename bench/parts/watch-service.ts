import { setTimeout as sleep } from 'node:timers/promises';
import { anonMb } from './process-stat.ts';

const everyMs = 250;

/** What a running service holds, sampled repeatedly: the memory that the system cannot reclaim, and its spool. */
interface ServiceWatch {
  /** The highest values so far. */
  peak(): { readonly anonMb: number; readonly spoolBytes: number };
  /** Waits until no alert is waiting for Temporal. */
  nothingWaits(withinMs: number): Promise<void>;
  stop(): void;
}

export function watchService({ pid, url }: { readonly pid: number; readonly url: string }): ServiceWatch {
  let [peakMb, spoolBytes, isBusy] = [0, 0, false];
  const look = async (): Promise<void> => {
    if (isBusy) return;
    isBusy = true;
    try {
      peakMb = Math.max(peakMb, anonMb(pid));
      spoolBytes = Math.max(spoolBytes, gauge(await metrics(url), 'firebreak_intake_spool_bytes'));
    } finally {
      isBusy = false;
    }
  };
  const looking = setInterval(() => {
    look().catch((error: unknown) => console.error('the service cannot be read', error));
  }, everyMs);
  return {
    peak: () => ({ anonMb: peakMb, spoolBytes }),
    nothingWaits: async (withinMs) => {
      const until = Date.now() + withinMs;
      while (gauge(await metrics(url), 'firebreak_intake_waiting_incidents') > 0) {
        if (Date.now() > until) throw new Error(`alerts still wait for Temporal after ${withinMs / 1_000} s`);
        await sleep(everyMs);
      }
    },
    stop: () => clearInterval(looking),
  };
}

async function metrics(url: string): Promise<string> {
  return (await fetch(`${url}/metrics`)).text();
}

function gauge(text: string, name: string): number {
  return Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1] ?? Number.NaN);
}
