import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { answering } from '../../core/playbook/answering.ts';
import { playbooks } from '../../playbooks/index.ts';
import { payloadOf } from '../../service/coverage/payloads.ts';
import { projectRoot } from '../../service/process/project-root.ts';
import { type JudgedRule, judgedRules } from '../../tools/docs/rules-page.ts';
import { assessedAs } from '../fixtures/assessed.ts';
import { sentNow } from '../platform/e2e/parts/alerts.ts';
import { podOf, until, type Workload } from '../platform/e2e/parts/cluster.ts';
import { Service } from '../platform/e2e/parts/service.ts';
import { ownPid, ownServers } from './own-servers.ts';

/** What a pod reports, the last of which contains it. */
interface Attack {
  readonly what: string;
  /** As its sensors send it. */
  readonly payloads: readonly object[];
}

let own: Awaited<ReturnType<typeof ownServers>>;
let service: Service;

beforeAll(async () => {
  own = await ownServers();
  service = await Service.create(own.servers, (config) => {
    // Each pod has an owner of its own; with the default of 20, the 21st pod of a namespace would be a question.
    config.guardrails = { namespaceCap: 1_000, clusterCap: 1_000 };
  });
});

afterAll(async () => {
  await service?.stop();
  await own?.stop();
});

/** A rule of a gadget is in no public rule set: an event that one has sent, under the name of the other. */
const gadgetEvent = JSON.parse(
  readFileSync(join(projectRoot(), 'test/fixtures/alerts/inspektor-gadget/rw-image-container-name-empty.json'), 'utf8'),
);

function payloadFor({ rule, alert }: JudgedRule): object | undefined {
  if (rule) return payloadOf(rule, 'pod');
  return alert.sensor === 'inspektor-gadget' ? { ...gadgetEvent, gadget: alert.rule } : undefined;
}

/** A file that counts as an act of its own: the program is another one than in the payloads of the rules. */
function earlierAct(rules: readonly JudgedRule[], { name }: JudgedRule): object {
  const other = ['Search Private Keys or Passwords', 'Clear Log Activities'].find((one) => one !== name);
  const found = rules.find((one) => one.name === other)?.rule;
  if (!found) throw new Error(`no rule set has ${other}`);
  const payload = payloadOf(found, 'pod') as { readonly output_fields: object };
  return { ...payload, output_fields: { ...payload.output_fields, 'proc.name': 'find', 'proc.cmdline': 'find /' } };
}

/**
 * Each rule that contains a pod by itself; of those that do so as a second act, one of each sensor for each set of playbooks that answer it, since that is what
 * differs once it is assessed. `test/core/incident/every-containing-rule.test.ts` tries them all, without servers.
 */
function attacks(): readonly Attack[] {
  const rules = judgedRules();
  const contained = rules.filter(({ afterAnother }) => afterAnother === 'contain');
  const second = Map.groupBy(
    contained.filter(({ alone }) => alone !== 'contain'),
    ({ alert }) => {
      const answers = answering(playbooks, { ...alert, assessment: assessedAs('contain') }).map(({ id }) => id);
      return `${alert.sensor}: ${answers.join(', ')}`;
    },
  );
  const first = contained.filter(({ alone }) => alone === 'contain');
  const attackBy = (judged: JudgedRule, before: readonly object[] = []): readonly Attack[] => {
    const payload = payloadFor(judged);
    return payload ? [{ what: `${judged.part}: ${judged.name}`, payloads: [...before, payload] }] : [];
  };
  return [
    ...first.flatMap((judged) => attackBy(judged)),
    ...[...second.values()].flatMap(([judged]) => (judged ? attackBy(judged, [earlierAct(rules, judged)]) : [])),
  ];
}

test('while Temporal is down, each rule of each sensor that contains contains its pod, and its incident adopts that afterwards', async () => {
  const all = attacks();
  expect(all.length).toBeGreaterThan(50);
  const namespace = await service.workloads.namespace('e2e');
  const workloads = await service.workloads.deploy(
    namespace,
    all.map((_, place) => `attacked-${place}`),
  );
  const told = all.map((attack, place) => ({ ...attack, workload: workloads[place] as Workload }));
  await service.start();
  process.kill(ownPid(own.platform.temporal.pid, 'Temporal server'), 'SIGKILL');
  for (const { payloads, workload, what } of told) {
    const { uid } = await service.workloads.podMetadata(workload);
    for (const payload of payloads)
      expect([what, await service.postOfAny(sentNow(payload, { ...workload, uid }))]).toMatchObject([what, { status: 200 }]);
  }
  const open = (): readonly string[] => {
    const counts = service.effects.counts('contain');
    return told.filter(({ workload }) => counts[podOf(workload)] === undefined).map(({ what }) => what);
  };
  await until('all contained', 120_000, () => open().length === 0).catch(() => expect(open()).toEqual([]));
  await own.platform.temporal.restart();
  for (const { workload } of told) {
    const { leases, steps } = await service.stateWhen('a lease', workload, 300_000, (state) => state.leases.length > 0);
    expect(leases).toMatchObject([{ action: 'quarantinePod', state: 'active' }]);
    expect(steps.filter(({ action }) => action === 'quarantinePod')).toHaveLength(1);
    expect(service.effects.of('contain', podOf(workload))).toHaveLength(1);
  }
});
