import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { FirebreakError } from '../../core/errors.ts';
import { connect } from '../../service/commands/session.ts';
import { readAccess } from '../platform/kubernetes/kubernetes-api.ts';
import { type Platform, startPlatform } from '../platform/platform.ts';
import { ServerGroup } from '../platform/server-group.ts';
import { DemoCluster } from './cluster.ts';
import { startService, startStandIns } from './processes.ts';
import { type DemoResult, runIncident, type StartedDemo } from './run-incident.ts';
import { type StandIns, writeSettings, writeStandIns } from './settings.ts';
import { shopPods } from './shop.ts';
import { durationText, type Stage } from './stage.ts';

export interface DemoOptions {
  /** Absent: a person clicks. */
  readonly answer?: 'release' | 'remove';
  readonly keep: boolean;
  /** A folder for everything that is kept; absent: a temporary one that is removed afterwards. */
  readonly state?: string;
  readonly stage: Stage;
}

interface DemoEnd extends DemoResult {
  /** Where everything is, if it was not cleaned up. */
  readonly folder?: string;
}

/** Runs in a kind cluster, whose nodes have this image; played nodes run no containers, so there every container has an image name of its own. */
const kindImage = 'registry.k8s.io/pause:3.10';

/**
 * Runs the whole demo: starts everything, shows one incident from the alert to its end, verifies it with the API server, and ends everything. `onUp` is called
 * when all is up and done and only `keep` holds it. The servers end with this process, whatever happens to it.
 * @throws FB_ERR_PLATFORM_PART_MISSING, FB_ERR_PLATFORM_START, FB_ERR_UNAVAILABLE.
 */
export async function runDemo(
  options: DemoOptions & { readonly interrupted: Promise<'interrupted'> },
): Promise<DemoEnd | 'interrupted'> {
  const { stage, keep, interrupted } = options;
  const folder = openFolder(options.state);
  const own = options.state === undefined;
  const ends: (() => Promise<void>)[] = [];
  let failed = true;
  try {
    const work = showAll({ ...options, folder, ends });
    const end = await Promise.race([work, interrupted]);
    if (end === 'interrupted') work.catch(() => undefined);
    failed = end !== 'interrupted' && !end.ok;
    if (keep && end !== 'interrupted') {
      showHowToUse({ end, folder, stage });
      // Nothing else keeps this process alive: the servers' handles do not.
      const hold = setInterval(() => {}, 60_000);
      await interrupted;
      clearInterval(hold);
    }
    return end === 'interrupted' ? end : { ...end, ...(!own || failed ? { folder } : {}) };
  } finally {
    stage.waiting('stopping');
    // A folder that is thrown away needs no orderly shutdown.
    if (own && !failed) await Promise.allSettled(ends.map((stop) => stop()));
    else for (const stop of ends.reverse()) await stop().catch(() => undefined);
    if (own && !failed) rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
    else if (failed) stage.warn(`Logs, configuration and data are kept in ${folder}`);
    stage.end();
  }
}

/** @throws FB_ERR_INCOMPLETE for a folder that is not empty: it would contain another demo's cluster and incident. */
function openFolder(state: string | undefined): string {
  if (state === undefined) return mkdtempSync(join(tmpdir(), 'firebreak-demo-'));
  const folder = resolve(state);
  if (existsSync(folder) && readdirSync(folder).length > 0)
    throw new FirebreakError('FB_ERR_INCOMPLETE', `${folder} is not empty. Name a new folder with --state, or omit the option.`);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  return folder;
}

async function showAll(
  options: DemoOptions & { readonly folder: string; readonly ends: (() => Promise<void>)[] },
): Promise<DemoResult> {
  const { stage, folder, ends, answer } = options;
  stage.heading('Firebreak on a cluster of its own');
  stage.waiting('starting Temporal and Kubernetes');
  const started = Date.now();
  const onProgress = (message: string): void => {
    if (message.includes('…')) stage.goesOn(message);
    else {
      stage.done(message);
      stage.waiting('starting');
    }
  };
  const group = new ServerGroup();
  ends.push(() => group.stop());
  const standIns = await writeStandIns(folder, { console: true });
  const standInsUp = startStandIns({ group, folder, standIns });
  // Awaited below, together with the platform: until then nothing handles its failure.
  standInsUp.catch(() => undefined);
  // Uses its own data folder; nothing here ever reads KUBECONFIG or another cluster's address.
  const platform = await startPlatform({
    stateDir: join(folder, 'platform'),
    kubernetes: { auditLevel: 'RequestResponse' },
    onProgress,
  });
  ends.push(platform.stop);
  requireWhole(platform);
  await standInsUp;
  stage.done('the platform is up', Date.now() - started);
  const demo = await startAll({ platform, folder, standIns, group, stage, ends });
  const result = await runIncident({ ...demo, stage, ...(answer && { answer }) });
  return result;
}

function requireWhole({ kubernetes }: Platform): void {
  if (kubernetes.missing.length === 0) return;
  throw new FirebreakError(
    'FB_ERR_PLATFORM_PART_MISSING',
    `Kubernetes has no ${kubernetes.missing.join(', ')}, so the shop's pods would not run. Put Go 1.26 or newer on PATH, or Docker and kind.`,
  );
}

async function startAll(options: {
  readonly platform: Platform;
  readonly folder: string;
  readonly standIns: StandIns;
  readonly group: ServerGroup;
  readonly stage: Stage;
  readonly ends: (() => Promise<void>)[];
}): Promise<StartedDemo> {
  const { platform, folder, standIns, group, stage, ends } = options;
  const { temporal, kubernetes } = platform;
  const settings = writeSettings({
    folder,
    standIns,
    // A Temporal that already exists may have incidents of another demo.
    cluster: temporal.pid === undefined ? `demo-${randomBytes(3).toString('hex')}` : 'demo',
    temporal: { address: temporal.address, namespace: temporal.namespace },
    kubeconfig: kubernetes.kubeconfig,
  });
  const cluster = new DemoCluster(readAccess(kubernetes.kubeconfig));
  const timed = async <T>(text: (result: T) => string, work: Promise<T>): Promise<T> => {
    const since = Date.now();
    const result = await work;
    stage.done(text(result), Date.now() - since);
    stage.waiting('starting');
    return result;
  };
  stage.waiting('deploying the shop, starting Firebreak');
  const starting = [
    timed(
      () => `deployed a small shop: ${shopPods} pods of web, cart and orders are running`,
      cluster.deployShop({
        password: randomBytes(12).toString('hex'),
        ...(kubernetes.kindCluster !== undefined && { image: kindImage }),
      }),
    ),
    timed(
      (service) => `Firebreak is running in the roles cell, desk, forensics, secrets (pid ${service.pid})`,
      startService({ group, settings }),
    ),
  ] as const;
  await Promise.allSettled(starting);
  const [, service] = await Promise.all(starting);
  const session = await connect({ config: settings.configFile });
  ends.push(() => session.close());
  return { platform, cluster, settings, session, service };
}

function showHowToUse({
  end,
  folder,
  stage,
}: {
  readonly end: DemoResult;
  readonly folder: string;
  readonly stage: Stage;
}): void {
  stage.heading(`Everything stays up until Ctrl-C. The demo took ${durationText(end.totalMs)}.`);
  const { configFile, slackPage, consolePage, ticketsPage, temporalUi, kubeconfig, falcoUrl } = end.addresses;
  const facts = [
    ['incidents', `npx firebreak incidents list --all --config ${configFile}`],
    ['this incident', `npx firebreak incidents show ${end.incident} --config ${configFile}`],
    ['records', `npx firebreak audit verify --config ${configFile}`],
    ['cluster', `KUBECONFIG=${kubeconfig} kubectl -n shop get pods --show-labels`],
    ['Slack', slackPage],
    ['console', consolePage],
    ['tickets', ticketsPage],
    ...(temporalUi === '' ? [] : [['Temporal', temporalUi]]),
    ['alerts go to', falcoUrl],
    ['logs, data', folder],
  ];
  for (const [name = '', value = ''] of facts) stage.line(`  ${stage.style('dim', name.padEnd(13))} ${value}`);
}
