/**
 * How well novelty for a workload tells attacks from usual behaviour, and what it costs: `node bench/novelty.ts [FOLDER]`. FOLDER has recorded requests to an
 * API server (`EventList`s of an audit log): `benign`, also gzipped, and other folders of attacks.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import type { Alert } from '../core/alert/alert.ts';
import { featuresOf } from '../core/novelty/behaviour.ts';
import { mostTableBytes } from '../core/novelty/behaviour-table.ts';
import { mostSubjects, NoveltyMemory, noveltyHours, type RunningImage } from '../core/novelty/novelty.ts';
import { isObject } from '../core/text/plain-json.ts';
import { readAlerts } from '../service/simulation/read-alerts.ts';
import { compareIntakes } from './parts/intake/compare-intakes.ts';
import { type LoadedAlert, loadBegan, loadDays, shopLoad } from './parts/novelty/shop-load.ts';
import { loadNow, printGoals, round, writeResult } from './report.ts';

const hour = 3_600_000;
const day = 24 * hour;
const shipped = { learningMs: noveltyHours.learning * hour, rolloutMs: noveltyHours.rollout * hour };
const mostPercent = 10;

interface Times {
  readonly learningMs: number;
  readonly rolloutMs: number;
}

const percent = (part: number, whole: number): number => (whole === 0 ? 0 : round((100 * part) / whole));

/** What was reported for a load, after the initial learning time. */
function judged(load: readonly LoadedAlert[], times: Times) {
  let image: RunningImage | undefined;
  const memory = new NoveltyMemory({ ...times, imageOf: () => image });
  return load.flatMap((one) => {
    image = one.image;
    const novelty = memory.take(one.alert, { sender: 'falco', nowMs: one.at });
    return one.at - loadBegan < times.learningMs ? [] : [{ ...one, novelty }];
  });
}

type Judged = ReturnType<typeof judged>[number];

function measured(all: readonly Judged[], isFound: (one: Judged) => boolean) {
  const of = (kind: LoadedAlert['kind']) => all.filter((one) => one.kind === kind);
  const found = all.filter(isFound);
  const attacks = new Map<string, Judged[]>();
  for (const one of of('attack')) {
    const key = `${one.what} ${one.alert.workload?.name}`;
    attacks.set(key, [...(attacks.get(key) ?? []), one]);
  }
  const first = [...attacks.values()].filter(([one]) => one && isFound(one)).length;
  const days = (loadDays * day - (loadBegan + loadDays * day - (all.at(-1)?.at ?? 0))) / day - shipped.learningMs / day;
  const isUsual = ({ kind }: Judged) => kind === 'usual' || kind === 'person';
  // Alerts of one workload within an hour count as one look.
  const looks = new Set(found.filter(isUsual).map(({ alert, at }) => `${alert.workload?.name} ${Math.floor(at / hour)}`)).size;
  return {
    alerts: all.length,
    novel: found.length,
    'usual alerts that are novel': `${found.filter(({ kind }) => kind === 'usual').length} of ${of('usual').length}`,
    'alerts of people in a pod that are novel': `${found.filter(({ kind }) => kind === 'person').length} of ${of('person').length}`,
    'precision, %, where people in a pod count as false': percent(
      found.filter(({ kind }) => kind === 'attack').length,
      found.length,
    ),
    'precision, %, where they are worth a look': percent(found.filter(({ kind }) => kind !== 'usual').length, found.length),
    'attacks of which the first alert is novel': `${first} of ${attacks.size}`,
    'recall, %, of alerts of attacks': percent(of('attack').filter(isFound).length, of('attack').length),
    'imitations of the usual that are novel': `${of('imitation').filter(isFound).length} of ${of('imitation').length}`,
    'looks at nothing, a week': round((7 * looks) / days),
  };
}

function baseline(load: readonly LoadedAlert[]): number {
  return percent(load.filter(({ kind }) => kind === 'attack').length, load.length);
}

/** Requests of an audit log as alerts of one rule: which of them the sensor would pick is another question. */
function requestsIn(bytes: Buffer): readonly Alert[] {
  const list: unknown = JSON.parse(bytes.toString('utf8'));
  const items: unknown = isObject(list) ? list.items : [];
  return (Array.isArray(items) ? items : []).flatMap((event: unknown): readonly Alert[] => {
    const { user, objectRef, verb, auditID, requestReceivedTimestamp: time, impersonatedUser } = isObject(event) ? event : {};
    if (!isObject(user) || typeof user.username !== 'string' || typeof verb !== 'string') return [];
    const { resource, subresource, namespace, name } = isObject(objectRef) ? objectRef : {};
    return [
      {
        id: String(auditID),
        sensor: 'kubernetes-audit',
        rule: 'A request',
        severity: 'low',
        time: String(time),
        title: 'A request',
        cluster: 'bench',
        apiRequest: {
          account: user.username,
          verb,
          ...(isObject(impersonatedUser) && { impersonates: String(impersonatedUser.username) }),
          ...(typeof resource === 'string' && { resource }),
          ...(typeof subresource === 'string' && { subresource }),
          ...(typeof namespace === 'string' && { namespace }),
          ...(typeof name === 'string' && { name }),
        },
        observables: [],
        tags: [],
        mitre: [],
      },
    ];
  });
}

function listsIn(folder: string): readonly (readonly Alert[])[] {
  return readdirSync(folder)
    .filter((name) => /\.json(?:\.gz)?$/.test(name))
    .sort()
    .map((name) => {
      const bytes = readFileSync(join(folder, name));
      return requestsIn(name.endsWith('.gz') ? gunzipSync(bytes) : bytes);
    });
}

/** The first part of the ordinary requests is known: what is new in the rest, and in attacks? */
function requestFigures(folder: string) {
  const ordinary = listsIn(join(folder, 'benign')).flat();
  const attacks = readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && entry.name !== 'benign')
    .flatMap(({ name }) => listsIn(join(folder, name)));
  return Object.fromEntries(
    [0.25, 0.5, 0.75].map((share) => {
      const memory = new NoveltyMemory(shipped);
      const cut = Math.floor(ordinary.length * share);
      const take = (alert: Alert, nowMs: number) => memory.take(alert, { sender: 'audit', nowMs })?.state === 'novel';
      for (const alert of ordinary.slice(0, cut)) take(alert, loadBegan);
      const rest = ordinary.slice(cut).map((alert) => take(alert, loadBegan + 10 * day));
      const found = attacks.map((list) => list.filter((alert) => take(alert, loadBegan + 10 * day + hour)).length);
      const kinds = new Set(ordinary.slice(cut).map((alert) => featuresOf(alert)[0]?.key));
      return [
        `after ${100 * share} % of the ordinary requests`,
        {
          'ordinary requests that are novel': `${rest.filter(Boolean).length} of ${rest.length} (${kinds.size} kinds)`,
          'attacks with a novel request': `${found.filter((count) => count > 0).length} of ${attacks.length}`,
          'requests of attacks that are novel': `${found.reduce((sum, count) => sum + count, 0)} of ${attacks.flat().length}`,
        },
      ];
    }),
  );
}

/** Every sample in order, twice, some days apart: everything that can be reported is new the first time, and nothing the second. */
function sampleFigures() {
  const samples = readAlerts([join(import.meta.dirname, '../test/fixtures/alerts')], 'bench').flatMap((read) =>
    read.ok ? [read.alert] : [],
  );
  const memory = new NoveltyMemory(shipped);
  const [any] = samples;
  if (any) memory.take({ ...any, rule: 'to begin' }, { sender: 'samples', nowMs: loadBegan });
  const pass = (after: number): number =>
    samples.filter((alert) => memory.take(alert, { sender: 'samples', nowMs: loadBegan + after })?.state === 'novel').length;
  return { samples: samples.length, 'novel the first time': pass(5 * day), 'novel three days later': pass(8 * day) };
}

/** Costs for known alerts, and for alerts each of which is new. */
function costs(load: readonly LoadedAlert[]) {
  let image: RunningImage | undefined;
  const memory = new NoveltyMemory({ ...shipped, imageOf: () => image });
  const micros = (times: number, alertOf: (nth: number) => LoadedAlert): number => {
    const began = process.cpuUsage();
    for (let nth = 0; nth < times; nth += 1) {
      const one = alertOf(nth);
      image = one.image;
      memory.take(one.alert, { sender: 'falco', nowMs: one.at });
    }
    const { user, system } = process.cpuUsage(began);
    return round((user + system) / times);
  };
  const known = load.filter(({ kind }) => kind === 'usual');
  const at = (nth: number): LoadedAlert => known[nth % known.length] as LoadedAlert;
  micros(100_000, at);
  const usual = micros(200_000, at);
  const fresh = micros(50_000, (nth) => {
    const one = at(nth);
    const letters = [...String(nth)].map((digit) => String.fromCharCode(97 + Number(digit))).join('');
    return { ...one, at: loadBegan + 40 * day, alert: { ...one.alert, process: { exe: `/usr/bin/${letters}`, parent: 'sh' } } };
  });
  const small = new NoveltyMemory({ ...shipped, imageOf: ({ workload }) => ({ digest: `sha256:${workload?.name}` }) });
  for (const { alert, at: nowMs } of load) small.take(alert, { sender: 'falco', nowMs });
  const { subjects, bytes } = small.size;
  return {
    'CPU of an alert that is known, µs': usual,
    'CPU of an alert that is new, µs': fresh,
    'bytes of a workload of the shop, on average': Math.round(bytes / subjects),
    'bytes of a workload, at most': mostTableBytes,
    'bytes of a sender, at most': mostTableBytes * mostSubjects,
  };
}

const load = shopLoad();
const all = judged(load, shipped);
const isNovel = ({ novelty }: Judged): boolean => novelty?.state === 'novel';
const isNovelAmongPeers = ({ novelty }: Judged): boolean => novelty?.state === 'novel' && novelty.amongPeers === true;
const figures = {
  'attacks among all alerts, % (precision without novelty)': baseline(load),
  'new for its workload': measured(all, isNovel),
  'new among its peers, too': measured(all, isNovelAmongPeers),
  'learned for 24 h': measured(judged(load, { ...shipped, learningMs: 24 * hour }), isNovel),
  'learned for 96 h': measured(judged(load, { ...shipped, learningMs: 96 * hour }), isNovel),
  'no learning after a rollout': measured(judged(load, { ...shipped, rolloutMs: 0 }), isNovel),
  'samples in their order': sampleFigures(),
  costs: costs(load),
};
console.log(figures);
for (const one of all.filter((each) => isNovel(each) && each.kind === 'usual').slice(0, 3)) console.log(one.novelty?.text);
const [, , folder] = process.argv;
const requests = folder !== undefined && existsSync(folder) ? requestFigures(folder) : undefined;
if (requests) console.log(requests);
const intake = process.env.BENCH_WITHOUT_INTAKE ? undefined : await compareIntakes('novelty');
if (intake) console.log(intake);
const flat = Object.entries<number | Readonly<Record<string, number | string>>>({ ...figures, ...requests }).flatMap(
  ([name, of]): readonly (readonly [string, number | string])[] =>
    typeof of === 'object'
      ? Object.entries(of).map(([field, value]) => [`${name}: ${field}`, value] as const)
      : [[name, of] as const],
);
const goals = intake
  ? [
      {
        what: 'Cost of novelty, as a share of the intake’s rate',
        goal: `at most ${mostPercent} %`,
        measured: `${intake.percentOfRate} % (median of ${intake.rounds} pairs; processor time ${intake.percentOfCpu} %)`,
        met: intake.percentOfRate <= mostPercent,
      },
    ]
  : [];
printGoals(goals);
writeResult({
  name: 'novelty',
  what: 'What is new for a workload: precision and recall on a model of the demo’s shop with captured attacks, on recorded requests and on samples; and what it costs',
  figures: { ...Object.fromEntries(flat), ...intake },
  goals,
  limitedBy: [loadNow(), 'The shop’s usual alerts are a model: no sensor runs on the benchmark machine.'],
});
