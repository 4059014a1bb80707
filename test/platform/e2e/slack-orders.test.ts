import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import type { ControlState } from '../../../core/control.ts';
import { controlState } from '../../../service/commands/connect.ts';
import { testPlatform } from '../../platform.ts';
import { until } from './cluster.ts';
import { ana, ben, Service } from './service.ts';

jest.setTimeout(180_000);

const { temporalAddress, temporalNamespace, kubeconfig, auditLog, freshNamespace } = await testPlatform();
const tom = 'U0TOM';
let service: Service;

beforeAll(async () => {
  const namespace = await freshNamespace();
  const servers = { temporalAddress, temporalNamespace, kubeconfig, auditLog };
  service = await Service.create(servers, (config) => Object.assign(config, { watch: { namespaces: [namespace] } }));
  await service.start();
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
