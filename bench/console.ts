/**
 * What the console costs whoever looks at it, in a real Chromium before a real desk: how long until a page that was never opened before has painted, and
 * until its list is there; how long from a record in the desk's store to the line on the page. `node bench/console.ts`.
 */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { chromium } from 'playwright-core';
import { consoleRoutes } from '../core/console/routes.ts';
import { projectRoot } from '../service/process/project-root.ts';
import { incidentRecords, startConsoleDesk } from '../test/service/desk/console/console-desk.ts';
import { findBrowser } from '../test/suites.mjs';
import { buildConsole } from '../tools/setup/console.mjs';
import { distribution, loadNow, printGoals, round, writeResult } from './report.ts';

const [incidents, openings, news] = [300, 20, 50];
const folder = join(projectRoot(), 'dist', 'console');
rmSync(folder, { recursive: true, force: true });
await buildConsole({ folder });
const desk = await startConsoleDesk();
const browser = await chromium.launch({ executablePath: findBrowser() ?? '', args: ['--no-sandbox'] });
try {
  const beganMs = Date.now();
  for (let nth = 0; nth < incidents; nth += 1) {
    const at = new Date(beganMs - (incidents - nth) * 60_000).toISOString();
    await desk.append(incidentRecords('shop', `app-${nth}`, 'run-1', at));
  }
  const person = await desk.signIn('ana');
  const cookie = person.cookie.slice(person.cookie.indexOf('=') + 1);
  /** With nothing kept from before, as who opens it for the first time. */
  const opened = async () => {
    const context = await browser.newContext();
    await context.addCookies([{ name: 'firebreak', value: cookie, url: desk.url }]);
    return { context, page: await context.newPage() };
  };

  const [painted, listed]: [number[], number[]] = [[], []];
  for (let nth = 0; nth < openings; nth += 1) {
    const { context, page } = await opened();
    await page.goto(`${desk.url}/console/incidents`);
    await page.getByRole('link', { name: `shop/app-${incidents - 1} c` }).waitFor();
    const times = await page.evaluate(() => ({
      listed: performance.now(),
      painted: performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? Number.NaN,
    }));
    painted.push(times.painted);
    listed.push(times.listed);
    await context.close();
  }

  const { context, page } = await opened();
  await page.goto(`${desk.url}/console/incidents`);
  await page.getByText('Live', { exact: true }).waitFor();
  const shown: number[] = [];
  for (let nth = 0; nth < news; nth += 1) {
    const began = performance.now();
    await desk.append(incidentRecords('shop', `new-${nth}`, 'run-1', new Date().toISOString()));
    await page.getByRole('link', { name: `shop/new-${nth} c` }).waitFor();
    shown.push(performance.now() - began);
  }
  await context.close();

  const answered: number[] = [];
  for (let nth = 0; nth < 200; nth += 1) {
    const began = performance.now();
    await (await person.get(`${consoleRoutes.incidents.path}?limit=50`)).arrayBuffer();
    answered.push(performance.now() - began);
  }

  const [first, list, live, api] = [painted, listed, shown, answered].map(distribution);
  if (!first || !list || !live || !api) throw new Error('nothing was measured');
  const goals = [
    { what: 'first paint of the console, p50', goal: 'under 500 ms', measured: `${first.p50} ms`, met: first.p50 < 500 },
    { what: 'an incident on a page that is open, p99', goal: 'within 1 s', measured: `${live.p99} ms`, met: live.p99 <= 1_000 },
    { what: 'a page of the list at the API, p99', goal: 'at most 200 ms', measured: `${api.p99} ms`, met: api.p99 <= 200 },
  ];
  console.log({ first, list, live, api, seconds: round((Date.now() - beganMs) / 1_000) });
  printGoals(goals);
  writeResult({
    name: 'console',
    what: `The console in Chromium before a desk with SQLite and ${incidents} incidents, by a browser that keeps nothing`,
    figures: {
      'first paint, ms': first,
      'the list is there, ms': list,
      'from a record in the store to the line on the page, ms': live,
      'a page of the list at the API, ms': api,
    },
    goals,
    limitedBy: [
      loadNow(),
      'Browser, desk and identity provider share the machine.',
      'The desk tells of changes 150 ms after a record, to take many at once.',
    ],
  });
} finally {
  await browser.close();
  await desk.stop();
}
