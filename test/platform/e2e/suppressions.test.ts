import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type ControlState, controlNames } from '../../../core/decide/control.ts';
import { controlIdOf } from '../../../core/orders/order.ts';
import { auditReport } from '../../../service/commands/records/audit.ts';
import { within } from '../../eventually.ts';
import { testPlatform } from '../../platform.ts';
import { type AlertOptions, alertAbout } from './parts/alerts.ts';
import { until, type Workload } from './parts/cluster.ts';
import { type CommandLine, meant, peopleWithKeys } from './parts/command-line.ts';
import { Service } from './parts/service.ts';

const { temporalAddress, temporalNamespace, kubeconfig, auditLog, freshNamespace } = await testPlatform();
const digest = `sha256:${'d'.repeat(64)}`;
const people = peopleWithKeys();
let service: Service;
let workload: Workload;
let scanner: Workload;
let firebreak: CommandLine;

beforeAll(async () => {
  const namespace = await freshNamespace();
  service = await Service.create({ temporalAddress, temporalNamespace, kubeconfig, auditLog }, (config) => {
    config.watch = { namespaces: [namespace] };
    for (const person of people.giveKeys(config)) person.accounts = [`${person.id}@example.com`];
  });
  firebreak = people.commandLine(service);
  await service.start();
  const [made, other] = await service.workloads.deploy(namespace, ['debug', 'scanner']);
  if (!made || !other) throw new Error('not deployed');
  [workload, scanner] = [made, other];
});

afterAll(async () => service?.stop());

function shell(from = workload, options: AlertOptions = { priority: 'Notice' }): object {
  const alert = alertAbout(from, 'shell', options) as { output_fields: Record<string, unknown> };
  return { ...alert, output_fields: { ...alert.output_fields, 'container.image.digest': digest } };
}

async function answerTo(alert: object): Promise<string> {
  const { text } = await service.post([alert]);
  return JSON.parse(text).items[0].status;
}

async function untilAnswered(status: string, withinMs = 120_000): Promise<void> {
  await until(`the answer ${status}`, withinMs, async () => (await answerTo(shell())) === status);
}

async function control(): Promise<{ readonly state: ControlState; readonly build: string; readonly runId: string }> {
  const { client } = await service.session();
  const handle = client.workflow.getHandle(controlIdOf(service.cluster));
  const { raw, runId } = await handle.describe();
  const build = raw.workflowExecutionInfo?.versioningInfo?.deploymentVersion?.buildId ?? '';
  return { state: await handle.query<ControlState>(controlNames.stateQuery), build, runId };
}

let id = '';

describe('a suppression, from the command line to the intake', () => {
  test('one person proposes, another approves, and the alerts are hidden', async () => {
    const target = `${workload.namespace}/Deployment/${workload.name}`;
    const added = await until('the control workflow', 120_000, async () =>
      firebreak(
        'ada',
        'suppress',
        'add',
        '--rule',
        'Run shell untrusted',
        '--workload',
        target,
        '--digest',
        digest,
        '--reason',
        'ours',
        '--json',
        ...meant(target),
      ).catch(() => undefined),
    );
    id = JSON.parse(added).id;
    const agreed = ['suppress', 'approve', id, '--reason', 'seen it', ...meant(target)];
    await expect(firebreak('ada', ...agreed)).rejects.toThrow('The person who asks may not answer');
    expect(await answerTo(shell())).not.toBe('suppressed');
    expect(await firebreak('grace', ...agreed)).toContain('Decided');
    await untilAnswered('suppressed');
    expect(await firebreak(undefined, 'suppress', 'list')).toContain('Run shell untrusted');
    const shown = JSON.parse(await firebreak(undefined, 'suppress', 'show', id, '--json'));
    expect(shown.hidden.count.count).toBeGreaterThan(0);
    expect(shown.hidden.alerts[0].alert).toMatchObject({ rule: 'Run shell untrusted' });
    // The shell alert before the decision has opened an incident, which is told of hidden alerts.
    await service.stateWhen('a line', workload, 120_000, ({ timeline }) =>
      timeline.some(({ kind }) => kind === 'alert.suppressed'),
    );
  });

  test('the decisions are on their own chain of the audit, and people were told', async () => {
    await until('the broadcast', 120_000, () => service.slack.world.messages.some(({ text }) => text?.includes(id)) || undefined);
    expect((await control()).state.audit.made).toBeGreaterThan(2);
    expect(await firebreak(undefined, 'audit', 'verify')).not.toContain('missing');
  });

  test('a click in Slack approves too, but not from the proposer', async () => {
    const target = `${workload.namespace}/Deployment/${workload.name}`;
    const args = ['--rule', 'Clicked', '--workload', target, '--digest', digest, '--reason', 'ours', '--json', ...meant(target)];
    const clicked = JSON.parse(await firebreak('ada', 'suppress', 'add', ...args)).id;
    const card = await until('the card', 120_000, () =>
      service.slack.world.messages.find(({ blocks }) => JSON.stringify(blocks ?? []).includes('Clicked')),
    );
    const click = (user: string) =>
      service.slack.click({ user, channel: card.channel, ts: card.ts, buttonText: 'Yes: hide alerts' });
    const status = async () =>
      (await control()).state.decisions.find(({ proposal }) => proposal.order.terms.id === clicked)?.status.state;
    await click('U0ADA');
    expect(await status()).toBe('proposed');
    await click('U0GRACE');
    await until('the approval', 120_000, async () => (await status()) === 'active');
  });

  test('if somebody terminates the workflow that counts answers, the same card asks again and a click on it counts', async () => {
    const target = `${workload.namespace}/Deployment/${workload.name}`;
    const args = ['--rule', 'Ended', '--workload', target, '--digest', digest, '--reason', 'ours', '--json', ...meant(target)];
    const asked = JSON.parse(await firebreak('ada', 'suppress', 'add', ...args)).id;
    const cards = () =>
      service.slack.world.messages.filter(({ metadata }) => metadata?.event_payload.key === `suppression:${asked}`);
    const card = await until('the card', 120_000, () => cards()[0]);
    const book = join(service.settings.folder, 'state', 'control', 'decisions.json');
    await until('what the cell knows', 120_000, () => readFileSync(book, 'utf8').includes(asked));
    const before = await control();
    const { client } = await service.session();
    await client.workflow.getHandle(controlIdOf(service.cluster)).terminate('by a stranger');
    const statusIn = ({ decisions }: ControlState) =>
      decisions.find(({ proposal }) => proposal.order.terms.id === asked)?.status.state;
    await until('its being asked again', 120_000, async () => {
      const { state } = await control();
      return state.incident.run !== before.state.incident.run && statusIn(state) === 'proposed';
    });
    const heard = service.slack.ephemerals('U0GRACE').length;
    await until('the approval', 120_000, async () => {
      await service.slack
        .click({ user: 'U0GRACE', channel: card.channel, ts: card.ts, buttonText: 'Yes: hide alerts' })
        .catch(() => undefined);
      return statusIn((await control()).state) === 'active';
    });
    expect(cards()).toHaveLength(1);
    const told = service.slack
      .ephemerals('U0GRACE')
      .slice(heard)
      .map(({ text }) => text);
    expect(told).not.toContainEqual(expect.stringContaining('out of date'));
  });

  test('after a restart under another build the list is intact, and the control workflow goes on under that build', async () => {
    const before = await control();
    await service.kill();
    service.changeProgram({ 'Is the shell in': 'Do you know the shell in' });
    await service.start();
    // Read from disk, at once.
    expect(await answerTo(shell())).toBe('suppressed');
    const after = await until('the hand-over', 120_000, async () => {
      const now = await control().catch(() => undefined);
      return now && now.build !== before.build ? now : undefined;
    });
    expect(after.runId).not.toBe(before.runId);
    expect(after.state.incident).toEqual(before.state.incident);
    expect(after.state.decisions).toEqual(before.state.decisions);
    expect(await answerTo(shell())).toBe('suppressed');
  });

  test('one person ends it, and the alerts get through again', async () => {
    expect(await firebreak('margaret', 'suppress', 'end', id, '--reason', 'not ours')).toContain('Ended');
    await until('an alert that goes its way', 120_000, async () => (await answerTo(shell())) === 'accepted' || undefined);
    expect(readFileSync(join(service.settings.folder, 'state', 'control', 'decisions.json'), 'utf8')).toContain(id);
  });
});

describe('a suppression, from a card’s menu to the intake', () => {
  /** People are asked about it: there is a card. */
  const worth: AlertOptions = { priority: 'Error' };
  const entry = 'False alarm: suppress …';
  const ephemeralTo = (user: string, text: string) =>
    service.slack.ephemerals(user).find((message) => JSON.stringify(message).includes(text));
  const told = (user: string, text: string) => until(text, 120_000, () => ephemeralTo(user, text));
  const cardWith = (...texts: readonly string[]) =>
    until(`the card with ${texts.join(' and ')}`, 120_000, () =>
      service.slack.world.messages.find(({ blocks }) => texts.every((text) => JSON.stringify(blocks ?? []).includes(text))),
    );
  const typed = (user: string) =>
    service.slack.command({
      user,
      channel: service.settings.standIns.slack.channels[0]?.id ?? '',
      command: '/firebreak',
      text: `suppress ${scanner.namespace}/Deployment/${scanner.name}`,
    });

  test('what the dialog proposes is signed by the desk, shown to others, approved, and hides the next alert', async () => {
    expect(await answerTo(shell(scanner, worth))).toBe('accepted');
    const card = await cardWith(scanner.pod, entry);
    // The dialog knows what has been recorded.
    const sent = await until('the dialog', 120_000, async () => {
      const click = await service.slack.click({
        user: 'U0ADA',
        ts: card.ts,
        optionText: entry,
        dialog: { fb_reason: 'our own scanner' },
      });
      return click.dialog;
    });
    expect(sent.result).toEqual({ outcome: 'closed' });
    await told('U0ADA', 'Somebody else must agree');
    const proposed = (await control()).state.decisions.find(({ proposal }) => proposal.order.terms.reason === 'our own scanner');
    expect(proposed).toMatchObject({
      status: { state: 'proposed' },
      proposal: {
        order: {
          person: 'ada',
          via: 'slack',
          terms: {
            owner: 'ada',
            match: {
              rule: 'Run shell untrusted',
              image: { digest },
              sensor: 'falco',
              workload: { kind: 'Deployment', name: scanner.name },
            },
          },
        },
      },
    });
    const asked = await cardWith('our own scanner', 'Yes: hide alerts');
    const approve = (user: string) =>
      service.slack.click({ user, channel: asked.channel, ts: asked.ts, buttonText: 'Yes: hide alerts' });
    await approve('U0ADA');
    await told('U0ADA', 'somebody else must answer');
    expect(await answerTo(shell(scanner, worth))).toBe('accepted');
    await approve('U0GRACE');
    await until('the answer suppressed', 120_000, async () => (await answerTo(shell(scanner, worth))) === 'suppressed');
    expect(await firebreak(undefined, 'suppress', 'show', proposed?.proposal.order.terms.id ?? '')).toContain(
      'Ada Byron (ada), in Slack',
    );
  });

  test('a person named as the actor can propose nothing, neither from the card nor by a command', async () => {
    expect(await answerTo(shell(scanner, { user: 'margaret@example.com', priority: 'Critical' }))).not.toBe('suppressed');
    await service.stateWhen('the actor', scanner, 120_000, ({ actors }) => actors?.includes('margaret') ?? false);
    // On a busy machine the desk may not have read the incident yet: it says so, and people repeat the command.
    await until('the refusal', 120_000, async () => {
      await typed('U0MARGARET');
      return within(5_000, () => ephemeralTo('U0MARGARET', 'names you as the actor'));
    });
    expect(service.slack.world.openView('U0MARGARET')).toBeUndefined();
    const opened = await until('a dialog for somebody else', 120_000, async () => {
      await typed('U0GRACE');
      return within(5_000, () => service.slack.world.openView('U0GRACE'));
    });
    expect(JSON.stringify(opened.view.blocks)).toContain('Run shell untrusted');
  });
});

test('the records of all this are sound', async () => {
  expect((await auditReport({ config: service.settings.configFile })).findings).toEqual([]);
});
