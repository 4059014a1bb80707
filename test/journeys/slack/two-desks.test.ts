import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { IncidentState } from '../../../core/incident/incident-state.ts';
import { freePorts } from '../../../tools/platform/ports.ts';
import { podOf, until, type Workload } from '../../platform/e2e/parts/cluster.ts';
import { containedAt } from '../../platform/e2e/parts/oracle.ts';
import { ana, ben, labels, type SecondProcess, Service } from '../../platform/e2e/parts/service.ts';
import { testPlatform } from '../../platform.ts';
import { type PostgresServer, startPostgres } from '../../postgres-server.ts';
import { findPostgres } from '../../suites.mjs';

const { temporalAddress, temporalNamespace, kubeconfig, auditLog, freshNamespace } = await testPlatform();
const folder = mkdtempSync(join(tmpdir(), 'firebreak-two-desks-'));
const here = findPostgres() ? describe : describe.skip;
let postgres: PostgresServer;
let service: Service;
let second: SecondProcess;
let balancer: Server;
let workloads: readonly Workload[];
/** Number of requests that each desk has received. */
const took: [number, number] = [0, 0];

/** Receives Slack's requests, and sends each to the desk that did not get the previous one. */
async function startBalancer(urls: readonly [string, string]): Promise<string> {
  let turn = 0;
  balancer = createServer(async (request, response) => {
    const desk = turn % 2 === 0 ? 0 : 1;
    turn += 1;
    took[desk] += 1;
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const { host: _, connection: __, 'content-length': ___, ...headers } = request.headers;
    const answer = await fetch(`${urls[desk]}${request.url}`, {
      method: 'POST',
      headers: Object.entries(headers).map(([name, value]): [string, string] => [name, String(value)]),
      body: Buffer.concat(chunks),
    });
    response.writeHead(answer.status, { 'content-type': answer.headers.get('content-type') ?? 'text/plain' });
    response.end(await answer.text());
  });
  await new Promise<void>((resolve) => balancer.listen(0, '127.0.0.1', resolve));
  const address = balancer.address();
  return `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}/slack/events`;
}

/** A separate state directory, with the keys of the first. */
function changeToSecond(config: Record<string, unknown>, port: number): void {
  const key = (name: string): string => join(service.settings.folder, 'state', 'keys', name);
  config.stateDir = 'state-of-second';
  config.temporal = { ...(config.temporal as object), codecKeys: [{ id: 'local', key: { file: key('codec.key') } }] };
  config.trust = {
    cells: [{ key: key('cell.pem.pub') }],
    secrets: [key('secrets.pem.pub')],
    forensics: [key('forensics.pem.pub')],
  };
  config.desk = { listen: { port }, voteKeyFile: key('vote.pem'), votePublicKeys: [key('vote.pem.pub')] };
  config.audit = { ...(config.audit as object), notaryKeyFile: key('notary.pem') };
}

beforeAll(async () => {
  if (!findPostgres()) return;
  postgres = await startPostgres();
  const url = join(folder, 'records-url');
  writeFileSync(url, postgres.url, { mode: 0o600 });
  const namespace = await freshNamespace();
  service = await Service.create({ temporalAddress, temporalNamespace, kubeconfig, auditLog }, (config) => {
    config.watch = { namespaces: [namespace] };
    config.audit = { ...(config.audit as object), url: { file: url } };
  });
  await service.start();
  const { desk } = await freePorts({ names: ['desk'] });
  second = await service.startProcess({ name: 'second-desk', roles: 'desk', change: (config) => changeToSecond(config, desk) });
  service.slack.setInteractionsUrl(await startBalancer([service.settings.deskUrl, `http://127.0.0.1:${desk}`]));
  workloads = await service.workloads.deploy(namespace, ['same', 'both', 'against']);
  for (const workload of workloads) await service.alert(workload);
  for (const workload of workloads) await service.cardOf(workload, 120_000);
  await containedAt(service, workloads);
});

afterAll(async () => {
  await second?.end('SIGTERM');
  balancer?.close();
  await service?.stop();
  await postgres?.stop();
  rmSync(folder, { recursive: true, force: true });
});

const votesOf = ({ timeline }: IncidentState) =>
  timeline.filter(({ kind }) => kind === 'vote.accepted' || kind === 'vote.refused');
const questionOf = ({ questions }: IncidentState) => questions.find(({ question: { id } }) => !id.startsWith('lease:'));

/** Both click before anybody has heard of the other; resolves with what each was told. */
async function clickAtOnce(name: string, clicks: readonly (readonly [user: string, label: string])[]) {
  const workload = workloads.find((one) => one.name === name);
  if (!workload) throw new Error(`there is no ${name}`);
  const { channel, ts } = await service.cardOf(workload);
  const users = [...new Set(clicks.map(([user]) => user))];
  const heard = new Map(users.map((user) => [user, service.slack.ephemerals(user).length]));
  const before: readonly number[] = [...took];
  const statuses = await Promise.all(clicks.map(([user, buttonText]) => service.slack.click({ user, channel, ts, buttonText })));
  expect(statuses.map(({ status }) => status)).toEqual(clicks.map(() => 200));
  for (const desk of [0, 1] as const) expect(took[desk]).toBeGreaterThan(before[desk] ?? 0);
  const told = () =>
    users.flatMap((user) =>
      service.slack
        .ephemerals(user)
        .slice(heard.get(user))
        .map(({ text }) => text ?? ''),
    );
  // Each is told what became of it; of an answer that takes long, first that it was received.
  await until('the answers', 120_000, () => told().filter((text) => !text.startsWith('Received')).length >= clicks.length);
  return { workload, told };
}

const untrue = /FB_ERR|not recorded|could not be|out of date|no such|[.;] (please )?click again/i;

here('two desks on one database', () => {
  test('the same person twice at the same moment counts once', async () => {
    const { workload, told } = await clickAtOnce('same', [
      [ana, labels.release],
      [ana, labels.release],
    ]);
    const state = await service.stateWhen('the vote', workload, 120_000, (now) => votesOf(now).length === 2);
    expect(new Set(votesOf(state).map(({ actor }) => actor))).toEqual(new Set(['person/ada']));
    expect(questionOf(state)).toMatchObject({ status: { state: 'open' }, votes: [{ vote: { person: 'ada' } }] });
    for (const text of told()) expect(text).not.toMatch(untrue);
    expect(service.effects.of('give-back', podOf(workload))).toEqual([]);
  });

  test('two people at the same moment count as two, and what they agree on is done once', async () => {
    const { workload, told } = await clickAtOnce('both', [
      [ana, labels.release],
      [ben, labels.release],
    ]);
    const state = await service.stateWhen(
      'the decision',
      workload,
      120_000,
      (now) => questionOf(now)?.status.state === 'decided',
    );
    expect(votesOf(state).map(({ kind }) => kind)).toEqual(['vote.accepted', 'vote.accepted']);
    await until('the release', 120_000, () => service.effects.of('give-back', podOf(workload)).length > 0);
    for (const text of told()) expect(text).not.toMatch(untrue);
    expect(service.cards(workload)).toHaveLength(1);
    expect(service.effects.of('give-back', podOf(workload))).toHaveLength(1);
  });

  test('two people who want opposite things at the same moment get one outcome, and each gets a true answer', async () => {
    const { workload, told } = await clickAtOnce('against', [
      [ana, labels.release],
      [ben, labels.remove],
    ]);
    const state = await service.stateWhen(
      'the decision',
      workload,
      120_000,
      (now) => questionOf(now)?.status.state === 'decided',
    );
    expect(questionOf(state)?.status).toMatchObject({ choice: 'remove', by: ['grace'] });
    const [first, last] = votesOf(state);
    // Ada's vote alone is too few for her choice: it comes first, and counts, or comes last, and she is told that it is decided.
    if (first?.actor === 'person/ada') expect(first.kind).toBe('vote.accepted');
    else expect([last?.actor, last?.kind]).toEqual(['person/ada', 'vote.refused']);
    for (const text of told()) expect(text).not.toMatch(untrue);
    await until('the deletion', 120_000, () => service.effects.of('delete', podOf(workload)).length > 0);
    expect(service.effects.of('delete', podOf(workload))).toHaveLength(1);
    expect(service.effects.of('give-back', podOf(workload))).toEqual([]);
    expect(service.cards(workload)).toHaveLength(1);
  });
});
