/** How long it takes until a saved file of a pack is live, and where that time goes: `node bench/playbooks/saved-pack.ts`; BENCH_ROUNDS saves. */
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { stringify } from 'yaml';
import { serviceEnvironment, serviceNodeFlags } from '../../service/launcher/node-flags.mjs';
import { acmeFiles, writePackFolder } from '../../test/pack-folder.ts';
import { startPlatform } from '../../tools/platform/platform.ts';
import { ensureBuilt } from '../../tools/setup/build.mjs';
import { cpuMs } from '../parts/clock.ts';
import { type BenchResult, distribution, loadNow, printGoals, round, writeResult } from '../report.ts';

const saves = Number(process.env.BENCH_ROUNDS ?? 5);
const goalMs = 2_000;
/** What the service logs for a save, in order: for one that changes what a body does, and for one that changes an envelope. */
const ofBody = [
  ['seen, checked and built', 'built the saved code; starting a worker for it'],
  ['its worker known to Temporal', 'the saved code is live: new incidents run it, open ones keep theirs'],
] as const;
const ofEnvelope = [
  ['seen, checked and built', 'restarting with the saved code'],
  ['stopped, and started again', 'the desk is open'],
  ['intake open', 'the intake is open'],
  ['at work', 'ready: connected to Temporal'],
] as const;
const saved = [
  ['a body', ofBody],
  ['an envelope', ofEnvelope],
] as const;

const folder = mkdtempSync(join(tmpdir(), 'firebreak-saved-'));
const platform = await startPlatform({ stateDir: join(folder, 'platform'), kubernetes: {} });
const pack = writePackFolder(join(folder, 'acme'));
const configFile = join(folder, 'firebreak.yaml');
writeFileSync(join(folder, 'token'), randomBytes(32).toString('hex'), { mode: 0o600 });
writeFileSync(
  configFile,
  stringify({
    cluster: 'bench',
    stateDir: 'state',
    temporal: { address: platform.temporal.address, namespace: platform.temporal.namespace },
    kubernetes: { kubeconfig: platform.kubernetes.kubeconfig },
    intake: { listen: { port: 0 }, tokens: [{ name: 'bench', token: { file: 'token' } }] },
    desk: { listen: { port: 0 } },
    roster: { people: [{ id: 'ada', name: 'Ada' }], groups: { oncall: ['ada'], leads: ['ada'] } },
  }),
);
const cli = join(await ensureBuilt({ node: process.execPath }), 'service', 'cli.js');
const service = spawn(process.execPath, [...serviceNodeFlags, cli, 'run', '--config', configFile, '--watch', pack], {
  env: { ...process.env, ...serviceEnvironment },
  stdio: ['ignore', 'ignore', 'pipe'],
});
const said: { readonly at: number; readonly message: string }[] = [];
createInterface({ input: service.stderr }).on('line', (line) => {
  said.push({ at: performance.now(), message: String(JSON.parse(line).msg) });
});

/** Waits until it logs this for the first time after a moment. */
async function heard(message: string, after: number): Promise<number> {
  for (let waited = 0; waited < 60_000; waited += 5) {
    const found = said.find((one) => one.at >= after && one.message === message);
    if (found) return found.at;
    await sleep(5);
  }
  throw new Error(`the service did not log “${message}”: ${said.map((one) => one.message).join('; ')}`);
}

/** What the save with this number writes; the envelope also differs each time. */
function changed(what: (typeof saved)[number][0], save: number): Readonly<Record<string, string>> {
  const miner = acmeFiles['playbooks/miner.ts'] ?? '';
  return what === 'a body'
    ? { 'saying.ts': `export const saying = (): string => 'save ${save}';\n` }
    : { 'playbooks/miner.ts': miner.replace('Cut off', `${save}: cut off`) };
}

const times = new Map<string, number[]>();
const note = (name: string, ms: number): void => {
  times.set(name, [...(times.get(name) ?? []), ms]);
};
try {
  await heard(ofEnvelope[3][1], 0);
  await sleep(1_000);
  for (const [what, phases] of saved)
    for (let save = 0; save < saves; save += 1) {
      const [began, cpu] = [performance.now(), cpuMs(service.pid ?? 0)];
      writePackFolder(pack, changed(what, save));
      let last = began;
      const took: number[] = [];
      for (const [name, message] of phases) {
        const at = await heard(message, last);
        note(`${what}: ${name}`, at - last);
        took.push(round(at - last));
        last = at;
      }
      note(what, last - began);
      note(`${what}: of a processor, in the service`, cpuMs(service.pid ?? 0) - cpu);
      console.log(`save ${save + 1} of ${what}: ${round(last - began)} ms`, took);
      await sleep(500);
    }
} finally {
  service.kill('SIGKILL');
  await platform.stop();
  rmSync(folder, { recursive: true, force: true });
}
const goals = saved.map(([what]) => {
  const whole = times.get(what) ?? [];
  return {
    what: `a saved file of a pack is live, when it changes ${what}`,
    goal: `within ${goalMs} ms`,
    measured: `p50 ${distribution(whole).p50} ms, at most ${distribution(whole).max} ms`,
    met: whole.every((ms) => ms < goalMs),
  };
});
const result: BenchResult = {
  name: 'saved-pack',
  what: 'Milliseconds from a saved file of a watched pack until new incidents run it, all roles in one process',
  figures: Object.fromEntries([...times].map(([name, all]) => [name, distribution(all)])),
  goals,
  limitedBy: [
    loadNow(),
    'The worker of the new build loads the SDK in its own thread: that is most of the wait for a changed body.',
  ],
};
writeResult(result);
printGoals(goals);
process.exit(0);
