import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import type { ControlState } from '../../../core/control.ts';
import { controlState } from '../../../service/commands/connect.ts';
import { testPlatform } from '../../platform.ts';
import { podOf, until, type Workload } from './cluster.ts';
import { ana, ben, Service } from './service.ts';

jest.setTimeout(180_000);

const { temporalAddress, temporalNamespace, kubeconfig, auditLog, freshNamespace } = await testPlatform();
const tom = 'U0TOM';
let service: Service;
let namespace: string;
let workloads: readonly Workload[];

beforeAll(async () => {
  namespace = await freshNamespace();
  const servers = { temporalAddress, temporalNamespace, kubeconfig, auditLog };
  service = await Service.create(servers, (config) => Object.assign(config, { watch: { namespaces: [namespace] } }));
  await service.start();
  workloads = await service.workloads.deploy(namespace, ['typed', 'seen']);
});

afterAll(() => service?.stop());

const channel = 'C0INCIDENTS';

const type = (user: string, text: string) => service.slack.command({ user, channel, command: '/firebreak', text });

async function told(user: string, text: string, since = 0): Promise<string> {
  return until(`the answer “${text}”`, 30_000, () =>
    service.slack
      .ephemerals(user)
      .slice(since)
      .map((message) => `${message.text} ${JSON.stringify(message.blocks ?? [])}`)
      .find((shown) => shown.includes(text)),
  );
}

/** Types a command, fills its dialog in, and sends it off. */
async function order(user: string, text: string, typed: Readonly<Record<string, string>>) {
  const before = service.slack.world.openView(user)?.id;
  await type(user, text);
  const view = await until('the dialog', 10_000, () => {
    const open = service.slack.world.openView(user);
    return open && open.id !== before ? open : undefined;
  });
  return service.slack.submitView({ viewId: view.id, user, typed });
}

const control = async (): Promise<ControlState> => controlState(await service.session());

describe('a freeze from Slack', () => {
  test('is proposed in a dialog, decided by somebody else, and ended by a command', async () => {
    await until('the control workflow', 30_000, () => control().catch(() => undefined));
    const typed = { fb_scope: '0', fb_namespace: 'nowhere', fb_hours: '2', fb_reason: 'maintenance of nowhere' };
    expect((await order(ana, 'freeze', typed)).result).toEqual({ outcome: 'closed' });
    const proposed = await told(ana, 'Somebody else must agree');
    const id = /Proposed as ([0-9a-f]{16})/.exec(proposed)?.[1] ?? '';
    const status = async () => (await control()).restraints?.find(({ proposal }) => proposal.order.terms.id === id)?.status.state;
    expect(await status()).toBe('proposed');
    const card = await until('the card', 30_000, () =>
      service.slack
        .channelMessages(channel)
        .find(({ blocks }) => JSON.stringify(blocks ?? []).includes('maintenance of nowhere')),
    );
    const approve = (user: string) =>
      service.slack.click({ user, channel, ts: card.ts, buttonText: 'Yes', dialog: { fb_reason: 'agreed' } });
    await approve(ana);
    await told(ana, 'somebody else must answer');
    expect(await status()).toBe('proposed');
    await approve(ben);
    await until('the freeze', 30_000, async () => (await status()) === 'active' || undefined);
    await type(ben, 'unfreeze');
    await told(ben, id);
    await type(ben, `unfreeze ${id}`);
    await told(ben, 'say why');
    await type(ben, `unfreeze ${id} it is done`);
    await told(ben, 'Ended: freeze of the namespace nowhere');
    expect(await status()).toBe('ended');
  });

  test('is no one’s who is not on the roster', async () => {
    await type(tom, 'freeze');
    await told(tom, 'not on the roster');
    expect(service.slack.world.openView(tom)).toBeUndefined();
  });
});

function pod(index: number): Workload {
  const found = workloads[index];
  if (!found) throw new Error('not deployed');
  return found;
}

describe('a quarantine that is ordered in Slack', () => {
  test('cuts the pod off by the chokepoint, and who ordered it decides nothing on it: somebody else does', async () => {
    const workload = pod(0);
    await type(ana, `quarantine ${namespace}/${workload.pod} --reason it talks to a miner`);
    await told(ana, 'You started it, so you decide nothing on it');
    await service.contained(workload, 30_000);
    const { timeline, actors, severity } = await service.stateWhen('the question', workload, 30_000, ({ questions }) =>
      questions.some(({ question: { id } }) => !id.startsWith('lease:')),
    );
    expect([severity, actors]).toEqual(['critical', ['ada']]);
    expect(timeline.some(({ kind, text }) => kind === 'step.applied' && text.includes('uarantine'))).toBe(true);
    await service.click(workload, ana, 'Delete the pod');
    await told(ana, 'names you as the actor');
    await service.click(workload, ben, 'Delete the pod');
    await until('the effect', 60_000, () => service.effects.of('delete', podOf(workload))[0]);
    const record = (await control()).timeline.find(({ kind }) => kind === 'incident.started');
    expect(record).toMatchObject({ actor: 'person/ada', text: expect.stringContaining('it talks to a miner') });
  });

  test('of a pod that the cluster does not have starts nothing, and says so', async () => {
    await type(ana, `quarantine ${namespace}/nothing-here because of that`);
    await told(ana, `The cluster has no pod ${namespace}/nothing-here.`);
  });

  test('is nobody’s who is not on the roster', async () => {
    await type(tom, `quarantine ${namespace}/${pod(1).pod} because I can`);
    await told(tom, 'not on the roster');
    expect(service.effects.of('contain', podOf(pod(1)))).toEqual([]);
  });
});

describe('an incident that is started from a message', () => {
  test('keeps evidence, asks the others, and is linked both ways', async () => {
    const workload = pod(1);
    const { ts } = service.slack.world.add({ channel, ts: service.slack.world.nextTs(), user: ben, text: 'this pod is odd' });
    await service.slack.shortcut({ user: ana, channel, ts, callbackId: 'fb_start_incident' });
    const view = await until('the dialog', 10_000, () => service.slack.world.openView(ana));
    const typed = { fb_pod: `${namespace}/${workload.pod}`, fb_wish: 'look', fb_severity: 'high', fb_reason: 'grace saw it' };
    expect((await service.slack.submitView({ viewId: view.id, user: ana, typed })).result).toEqual({ outcome: 'closed' });
    await until('the word under the message', 30_000, () =>
      service.slack.replies(channel, ts).find(({ text }) => text.includes('started the incident')),
    );
    const card = await service.cardOf(workload);
    expect(JSON.stringify(card.blocks)).toContain(`/archives/${channel}/p${ts.replace('.', '')}`);
    expect(service.effects.of('contain', podOf(workload))).toEqual([]);
    const records = await control();
    expect(records.timeline.some(({ kind, text }) => kind === 'incident.started' && text.includes('grace saw it'))).toBe(true);
    await service.click(workload, ben, 'Yes, quarantine the pod');
    await service.contained(workload, 60_000);
  });
});
