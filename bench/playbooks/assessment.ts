/**
 * What is cut off, asked, paged and filed on composed intrusions and noise: `npm run bench -- assessment:FOLDER`. FOLDER has `intrusions/index.json` with its
 * logs, `noise/*.ndjson.gz`, and `before/*.ndjson.gz` of the same names to learn from. Without FOLDER, the intrusions of the tests.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { type Profile, profiles } from '../../core/assessment/response.ts';
import { type Baseline, PodStories } from '../../core/assessment/stories.ts';
import { type PodDecision, Tally } from '../../core/assessment/tally.ts';
import { readLog } from '../../service/commands/assess/read-log.ts';
import { Summary } from '../../service/commands/assess/summary.ts';
import { type Goal, loadNow, printGoals, writeResult } from '../report.ts';

const folder = process.argv[2] ?? join(import.meta.dirname, '../../test/fixtures/judgement');
const intrusions = z
  .array(z.object({ id: z.string(), goalAt: z.number(), begins: z.string(), pods: z.array(z.string()) }))
  .parse(JSON.parse(readFileSync(join(folder, 'intrusions/index.json'), 'utf8')));

function logsIn(name: string): readonly string[] {
  const path = join(folder, name);
  return existsSync(path)
    ? readdirSync(path)
        .filter((file) => /\.ndjson(?:\.gz)?$/.test(file))
        .toSorted()
    : [];
}

interface Judged {
  readonly summary: Summary;
  readonly decisions: readonly PodDecision[];
}

async function judged(file: string, baseline: Baseline | undefined, named: boolean): Promise<Judged> {
  const tally = new Tally(new PodStories(baseline ? { baseline } : {}));
  const summary = new Summary();
  const decisions: PodDecision[] = [];
  for await (const item of readLog(file)) {
    if (item.kind !== 'alert') continue;
    // As the API server's audit log would name them: the sets have no audit events.
    const facts = named ? { execBy: { account: 'somebody@example.com', person: 'somebody' } } : {};
    const made = tally.take(item.alert, item.atMs, facts);
    summary.take(item.alert, item.atMs, made);
    decisions.push(...made);
  }
  return { summary, decisions };
}

async function learned(): Promise<Baseline | undefined> {
  const stories = new PodStories();
  let alerts = 0;
  for (const file of logsIn('before'))
    for await (const item of readLog(join(folder, 'before', file))) {
      if (item.kind !== 'alert') continue;
      stories.hear(item.alert, { nowMs: item.atMs });
      alerts += 1;
    }
  return alerts === 0 ? undefined : stories.baseline({ alerts });
}

interface Row {
  readonly contained: number;
  readonly beforeGoal: number;
  readonly pods: number;
  readonly wrong: Readonly<Record<string, number>>;
  readonly questions: number;
  readonly pagesAtNight: number;
  readonly filed: number;
}

async function measure(baseline: Baseline | undefined): Promise<ReadonlyMap<Profile, Row>> {
  const attacks: ((typeof intrusions)[number] & Judged)[] = [];
  for (const one of intrusions)
    attacks.push({ ...one, ...(await judged(join(folder, 'intrusions', `${one.id}.ndjson`), baseline, false)) });
  const days: [string, Judged][] = [];
  for (const file of logsIn('noise')) {
    const name = file.replace(/\.ndjson(?:\.gz)?$/, '');
    console.log(`  ${name}`);
    days.push([name, await judged(join(folder, 'noise', file), baseline, false)]);
    if (name.startsWith('people'))
      days.push([`${name}, named by the audit`, await judged(join(folder, 'noise', file), baseline, true)]);
  }
  return new Map(
    profiles.map((profile) => {
      const found = attacks.map(({ pods, begins, goalAt, decisions }) => {
        const cut = decisions.filter(
          (one) => one.profile === profile && one.response === 'contain' && pods.includes(`${one.namespace}/${one.pod}`),
        );
        return { pods: cut.length, isBefore: cut.some(({ at }) => Date.parse(at) - Date.parse(begins) <= goalAt * 1_000) };
      });
      const noise = days.map(([name, { summary }]) => [name, summary.of(profile)] as const);
      return [
        profile,
        {
          contained: found.filter(({ pods }) => pods > 0).length,
          beforeGoal: found.filter(({ isBefore }) => isBefore).length,
          pods: found.reduce((sum, { pods }) => sum + pods, 0),
          wrong: Object.fromEntries(noise.map(([name, { decisions }]) => [name, decisions.contain])),
          questions: Math.max(0, ...noise.map(([, { questionsInWorst8Hours }]) => questionsInWorst8Hours)),
          pagesAtNight: Math.max(0, ...noise.map(([, { pagesAtNight }]) => pagesAtNight)),
          filed: Math.max(0, ...noise.map(([, { decisions }]) => decisions.file)),
        },
      ];
    }),
  );
}

const baseline = await learned();
const figures: Record<string, number | string> = {};
const allPods = intrusions.reduce((sum, { pods }) => sum + pods.length, 0);
const tables = new Map<string, ReadonlyMap<Profile, Row>>();
for (const [name, known] of [
  ['learnt baseline', baseline],
  ['no baseline', undefined],
] as const) {
  if (name === 'learnt baseline' && !known) continue;
  console.log(name);
  const table = await measure(known);
  tables.set(name, table);
  for (const [profile, row] of table) {
    figures[`${name}, ${profile}: intrusions contained`] = `${row.contained} of ${intrusions.length}`;
    figures[`${name}, ${profile}: before the goal`] = `${row.beforeGoal} of ${intrusions.length}`;
    figures[`${name}, ${profile}: attacked pods contained`] = `${row.pods} of ${allPods}`;
    for (const [day, wrong] of Object.entries(row.wrong)) figures[`${name}, ${profile}: wrong, ${day}`] = wrong;
    figures[`${name}, ${profile}: questions in the worst 8 hours`] = row.questions;
    figures[`${name}, ${profile}: pages in the worst night`] = row.pagesAtNight;
    figures[`${name}, ${profile}: filed on the worst day`] = row.filed;
  }
}
console.table(figures);
const goals = [...tables].flatMap(([name, table]): readonly Goal[] => {
  const row = table.get('balanced');
  if (!row) return [];
  const isLearnt = name === 'learnt baseline';
  const unnamed = Object.entries(row.wrong).filter(([day]) => !day.startsWith('people'));
  const named = Object.entries(row.wrong).filter(([day]) => day.endsWith('named by the audit'));
  const worst = Math.max(0, ...unnamed.map(([, wrong]) => wrong));
  const factor = isLearnt ? 1 : 2;
  const most = (what: string, limit: number, value: number): Goal => ({
    what: `balanced, ${name}: ${what}`,
    goal: `at most ${limit}`,
    measured: String(value),
    met: value <= limit,
  });
  return [
    {
      what: `balanced, ${name}: intrusions contained`,
      goal: 'all',
      measured: `${row.contained} of ${intrusions.length}`,
      met: row.contained === intrusions.length,
    },
    {
      what: `balanced, ${name}: before the goal`,
      goal: 'all but one',
      measured: `${row.beforeGoal} of ${intrusions.length}`,
      met: row.beforeGoal >= intrusions.length - 1,
    },
    most('wrong on a day without people', isLearnt ? 0 : 3, worst),
    most('people cut off where the audit names them', 0, Math.max(0, ...named.map(([, wrong]) => wrong))),
    most('questions in any 8 hours', 10 * factor, row.questions),
    most('pages a night', factor, row.pagesAtNight),
  ];
});
printGoals(goals);
writeResult({
  name: 'assessment',
  what: 'Composed intrusions and days of noise, judged by the assessment with and without a learnt baseline, for each profile',
  figures,
  goals,
  limitedBy: [
    loadNow(),
    'Nothing was captured: the sets are composed from public reports. Noise of a real cluster is less regular.',
  ],
});
