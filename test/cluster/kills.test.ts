import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { auditReport } from '../../service/commands/records/audit.ts';
import { within } from '../eventually.ts';
import { alertAbout } from '../platform/e2e/parts/alerts.ts';
import type { Workload } from '../platform/e2e/parts/cluster.ts';
import { differences, voteUntilAccepted } from '../platform/e2e/parts/oracle.ts';
import { ana, ben, labels } from '../platform/e2e/parts/service.ts';
import { startedOrWhyNot } from '../started-or-why-not.ts';
import { type Estate, startEstate } from './parts/estate.ts';
import type { Site } from './parts/site.ts';

/** The parts that are killed, and the sites where alerts are contained before the part is back. */
const both = ['east', 'west'] as const;
const rounds: readonly { readonly victim: string; readonly goesOn: readonly ('east' | 'west')[] }[] = [
  { victim: 'east-cell-1', goesOn: both },
  { victim: 'temporal-history', goesOn: both },
  { victim: 'east-secrets', goesOn: both },
  { victim: 'desk-1', goesOn: both },
  { victim: 'temporal-matching', goesOn: both },
  { victim: 'east-cell-2', goesOn: both },
  { victim: 's3', goesOn: both },
  { victim: 'postgres', goesOn: both },
  { victim: 'desk-2', goesOn: both },
  { victim: 'temporal-frontend', goesOn: both },
  { victim: 'west-pools', goesOn: both },
  { victim: 'temporal-worker', goesOn: both },
  { victim: 'west-cell', goesOn: ['east'] },
  { victim: 'east-forensics', goesOn: both },
  { victim: 'east-kube-apiserver', goesOn: ['west'] },
  { victim: 'east-etcd', goesOn: ['west'] },
];

/** The parts that an answer needs are killed meanwhile, one after the other. */
const answeredWithinMs = 300_000;

type Fate = 'remove' | 'release' | 'silence';
const fates: readonly Fate[] = ['remove', 'release', 'silence'];

interface Life {
  readonly site: Site;
  readonly workload: Workload;
  readonly fate: Fate;
}

const started = await startedOrWhyNot(() => startEstate((message) => process.stdout.write(`cluster: ${message}\n`)));
const estate = started as Estate;
const here = typeof started === 'string' ? describe.skip : describe;

here(typeof started === 'string' ? `a cluster of all parts (skipped: ${started})` : 'a cluster of all parts', () => {
  const lives: Life[] = [];
  const answered: Promise<void>[] = [];
  const busy: { readonly site: Site; readonly workload: Workload }[] = [];
  const waiting = { east: [] as Workload[], west: [] as Workload[] };
  const noise: Promise<void>[] = [];
  const lines: string[] = [];
  let calm: NodeJS.Timeout;
  let noisy = true;

  beforeAll(async () => {
    // Slack's rate limit is not what is tested here.
    calm = setInterval(() => estate.slack.calm(), 200);
    await Promise.all(
      both.map(async (name) => {
        const site = estate[name];
        const namespace = await site.workloads.namespace('shop');
        const names = rounds.map((_, index) => `w${index}`);
        const [first, ...rest] = await site.workloads.deploy(namespace, ['busy', ...names]);
        if (!first) throw new Error('not deployed');
        waiting[name].push(...rest);
        busy.push({ site, workload: first });
        await site.send(first, alertAbout(first));
        await site.contained(first);
        noise.push(keepSending(site, first));
      }),
    );
  });

  afterAll(async () => {
    noisy = false;
    clearInterval(calm);
    process.stdout.write(`${lines.map((line) => `  ${line}\n`).join('')}`);
    await Promise.allSettled([...noise, ...answered]);
  });

  /** A sensor that keeps reporting on what is already contained. */
  async function keepSending(site: Site, workload: Workload): Promise<void> {
    while (noisy) {
      await site.send(workload, alertAbout(workload));
      await new Promise((done) => setTimeout(done, 2_000));
    }
  }

  /** People answer while the next one is killed. */
  async function answer({ site, workload, fate }: Life): Promise<void> {
    if (fate === 'silence') return;
    await voteUntilAccepted(site, workload, ana, labels[fate], answeredWithinMs);
    if (fate === 'release') await voteUntilAccepted(site, workload, ben, labels[fate], answeredWithinMs);
  }

  test.each(rounds)('$victim is killed while alerts arrive: pods are still contained, and its work goes on', async (round) => {
    const victim = estate.victims.get(round.victim);
    if (!victim) throw new Error(`there is no ${round.victim}`);
    const met = both.flatMap((name): readonly Life[] => {
      const workload = waiting[name].shift();
      const fate = fates[lives.length % fates.length] ?? 'silence';
      return workload ? [{ site: estate[name], workload, fate }] : [];
    });
    await victim.kill();
    const at = Date.now();
    const sent = met.map(({ site, workload }) => site.send(workload, alertAbout(workload)));
    for (const { site, workload } of met) if (round.goesOn.some((name) => estate[name] === site)) await site.contained(workload);
    const contained = Date.now() - at;
    const back = Date.now();
    await victim.start();
    lines.push(`${round.victim}: contained after ${contained} ms, back after ${Date.now() - back} ms`);
    await Promise.all(sent);
    for (const life of met) {
      await life.site.contained(life.workload);
      lives.push(life);
      answered.push(answer(life));
    }
  });

  test('the API servers, Slack and the tickets confirm that nothing was lost and nothing done twice', async () => {
    noisy = false;
    await Promise.all([...noise, ...answered]);
    const found = (): readonly string[] =>
      both.flatMap((name) => {
        const ofSite = lives.filter(({ site }) => site === estate[name]);
        const those = (fate: Fate) => ofSite.filter((life) => life.fate === fate).map(({ workload }) => workload);
        const all = [...ofSite, ...busy.filter(({ site }) => site === estate[name])].map(({ workload }) => workload);
        return differences(estate[name], { all, removed: those('remove'), released: those('release') });
      });
    // What was approved is done afterwards, and the last tickets and cards are on their way.
    await within(120_000, () => found().length === 0);
    expect(found()).toEqual([]);
  });

  test('each accepted alert is counted once in its incident, and its evidence is kept', async () => {
    for (const { site, workload } of [...busy, ...lives.filter(({ fate }) => fate === 'silence')]) {
      const accepted = site.accepted.get(workload);
      const state = await site.stateWhen(`its ${accepted} alerts`, workload, ({ total, evidence }) => {
        return total >= (accepted ?? 0) && evidence.length > 0;
      });
      expect(state.total).toBe(accepted);
      // A part that was away is not mistaken for a stranger who ends incidents.
      expect(state.timeline.map(({ kind }) => kind)).not.toContain('incident.restarted');
    }
    lines.push(...busy.map(({ site, workload }) => `${site.cluster}: ${site.accepted.get(workload)} alerts on one workload`));
  });

  test('the records of both clusters are complete, and proven by the checkpoints of two desks', async () => {
    let { findings } = await auditReport({ config: estate.deskConfig });
    await within(120_000, async () => {
      ({ findings } = await auditReport({ config: estate.deskConfig }));
      return findings.length === 0;
    });
    expect(findings).toEqual([]);
  });
});
