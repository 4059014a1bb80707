/** Starts a platform, or only Temporal, in the given folder, prints the pids, and waits: the tests kill it. */
import { startPlatform } from '../../tools/platform/platform.ts';
import { startTemporal } from '../../tools/platform/temporal-server.ts';

const [stateDir = '', parts = 'both'] = process.argv.slice(2);
process.stdout.write(`${JSON.stringify(await pids())}\n`);
setInterval(() => {}, 60_000);

async function pids(): Promise<readonly (number | undefined)[]> {
  if (parts === 'temporal') return [(await startTemporal({ stateDir })).pid];
  const platform = await startPlatform({ stateDir });
  return [platform.temporal.pid, ...Object.values(platform.kubernetes.pids())];
}
