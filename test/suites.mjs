/** The test suites, and what each needs from this machine. Plain JavaScript, since run.mjs starts before TypeScript can run. */
import { existsSync, readdirSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { missingForRealNodes } from '../tools/platform/nodes/parts.mjs';

const minutes = 60_000;

/**
 * A suite is the test files of one folder; `unit` is all files that belong to no other suite. `quick` ones are the tier that `npm test` runs, all of them that
 * of `npm run test:all` (docs/decisions/tests.md). `missing` says why a suite cannot run here. `packs` tests the product as users have it: the package that `npm
 * pack` makes, installed in a folder of its own. A suite on real parts has one platform per worker: a file has the servers to itself while it runs, though
 * other files ran on them before. One with a lab gets a Kubernetes with a real node. Suites of one `lane` run one after the other, and lanes run side by side:
 * tests on real servers spend most of their time waiting for them. `testMs` is the limit of a test where two minutes are too few, with the reason.
 */
export const suites = [
  // Its tests wait half of their time, as the product does: if no other suite fills that time, more workers do.
  { name: 'unit', quick: true, workers: 2, workersAlone: 4, lane: 'unit', missing: () => undefined },
  // What the product is for, on real parts.
  { name: 'journeys', quick: true, folder: 'journeys', workers: 3, platform: true, lane: 'platform', missing: () => undefined },
  // Other people's programs read what we make: charts, rules, compose files, releases.
  { name: 'checkers', folder: 'checkers', workers: 1, missing: () => undefined },
  // Installs packages with npm, builds with them, and runs them on Temporal's own test server.
  { name: 'packs', folder: 'packs', workers: 1, testMs: 10 * minutes, missing: () => undefined },
  { name: 'platform', folder: 'platform', workers: 2, platform: true, lane: 'platform', missing: () => undefined },
  {
    name: 'browser',
    folder: 'browser',
    workers: 1,
    platform: true,
    lane: 'platform',
    missing: () => (findBrowser() ? undefined : 'there is no chromium on PATH or in /usr/bin'),
  },
  {
    name: 'postgres',
    folder: 'postgres',
    workers: 1,
    missing: () => (findPostgres() ? undefined : 'there are no PostgreSQL server programs (initdb, postgres)'),
  },
  // All parts separate, as in production: a Temporal of four processes, two clusters, eight processes of Firebreak. Each start of all takes minutes.
  {
    name: 'cluster',
    folder: 'cluster',
    workers: 1,
    testMs: 10 * minutes,
    missing: () => (findPostgres() ? undefined : 'there are no PostgreSQL server programs (initdb, postgres)'),
  },
  // A kubelet starts containers, and takes its time to notice what has become of them.
  { name: 'node', folder: 'node', workers: 1, lab: true, testMs: 20 * minutes, lane: 'lab', missing: missingForRealNodes },
  // Tests that have their own servers, and stop and kill them or Firebreak. Each has to start them first.
  { name: 'servers', folder: 'servers', workers: 1, testMs: 10 * minutes, lane: 'lab', missing: () => undefined },
];

/** The test files of a suite whose paths contain all of `filters`, as paths from the root. */
export function testFiles({ root, suite, filters }) {
  const folders = suites.flatMap(({ folder }) => (folder ? [`test/${folder}/`] : []));
  return readdirSync(join(root, 'test'), { recursive: true, encoding: 'utf8' })
    .map((file) => `test/${file.replaceAll('\\', '/')}`)
    .filter((file) => file.endsWith('.test.ts'))
    .filter((file) =>
      suite.folder ? file.startsWith(`test/${suite.folder}/`) : !folders.some((folder) => file.startsWith(folder)),
    )
    .filter((file) => filters.every((filter) => file.includes(filter)))
    .sort();
}

/** A chromium to drive, or undefined. */
export function findBrowser() {
  const names = ['chromium', 'chromium-browser', 'google-chrome'];
  const folders = ['/usr/bin', ...(process.env.PATH ?? '').split(delimiter)];
  return folders.flatMap((folder) => names.map((name) => join(folder, name))).find((path) => existsSync(path));
}

/** The folder of PostgreSQL's server programs (Debian's newest, or the one on PATH), or undefined. */
export function findPostgres() {
  const debian = '/usr/lib/postgresql';
  const versions = existsSync(debian) ? readdirSync(debian).sort((a, b) => Number(b) - Number(a)) : [];
  const folders = [...versions.map((version) => join(debian, version, 'bin')), ...(process.env.PATH ?? '').split(delimiter)];
  return folders.find((folder) => ['initdb', 'postgres'].every((program) => existsSync(join(folder, program))));
}
