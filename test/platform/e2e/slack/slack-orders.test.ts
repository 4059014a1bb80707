import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { ControlState } from '../../../../core/decide/control.ts';
import { isRestraint, isSuppression } from '../../../../core/decide/decision.ts';
import type { SuppressionTerms } from '../../../../core/orders/suppression.ts';
import { openSigner } from '../../../../integrations/keys/ed25519.ts';
import { auditReport } from '../../../../service/commands/records/audit.ts';
import { proposeDecision, signedWith } from '../../../../service/incidents/orders.ts';
import { controlState } from '../../../../service/incidents/session.ts';
import { testPlatform } from '../../../platform.ts';
import { podOf, until, type Workload } from '../parts/cluster.ts';
import { ana, ben, deskRecords, Service } from '../parts/service.ts';

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
  return until(`the answer “${text}”`, 120_000, () =>
    service.slack
      .ephemerals(user)
      .slice(since)
      .map((message) => `${message.text} ${JSON.stringify(message.blocks ?? [])}`)
      .find((shown) => shown.includes(text)),
  );
}

/** Types a command, fills in its dialog, and submits it. */
async function order(user: string, text: string, typed: Readonly<Record<string, string>>) {
  const view = await service.dialogAfter(user, () => type(user, text));
  return service.slack.submitView({ viewId: view.id, user, typed });
}

const control = async (): Promise<ControlState> => controlState(await service.session());

describe('a freeze from Slack', () => {
  test('is proposed in a dialog, decided by somebody else, and ended by a command', async () => {
    await until('the control workflow', 120_000, () => control().catch(() => undefined));
    const typed = { fb_scope: '0', fb_namespace: 'nowhere', fb_hours: '2', fb_reason: 'maintenance of nowhere' };
    expect((await order(ana, 'freeze', typed)).result).toEqual({ outcome: 'closed' });
    const proposed = await told(ana, 'Somebody else must agree');
    const id = /Proposed as ([0-9a-f]{16})/.exec(proposed)?.[1] ?? '';
    const status = async () =>
      (await control()).decisions.filter(isRestraint).find(({ proposal }) => proposal.order.terms.id === id)?.status.state;
    expect(await status()).toBe('proposed');
    const card = await until('the card', 120_000, () =>
      service.slack
        .channelMessages(channel)
        .find(({ blocks }) => JSON.stringify(blocks ?? []).includes('maintenance of nowhere')),
    );
    const approve = (user: string) =>
      service.slack.click({ user, channel, ts: card.ts, buttonText: 'Yes: freeze', dialog: { fb_reason: 'agreed' } });
    await approve(ana);
    await told(ana, 'somebody else must answer');
    expect(await status()).toBe('proposed');
    await approve(ben);
    await until('the freeze', 120_000, async () => (await status()) === 'active' || undefined);
    await type(ben, 'unfreeze');
    await told(ben, id);
    await type(ben, `unfreeze ${id}`);
    await told(ben, 'say why');
    await type(ben, `unfreeze ${id} it is done`);
    await told(ben, 'Ended: freeze of the namespace nowhere');
    expect(await status()).toBe('ended');
  });

  test('is refused to anyone not on the roster', async () => {
    await type(tom, 'freeze');
    await told(tom, 'not on the roster');
    expect(service.slack.world.openView(tom)).toBeUndefined();
    const refused = await until('the record', 120_000, async () =>
      (await deskRecords(service)).find(({ kind }) => kind === 'command.refused'),
    );
    expect(refused).toMatchObject({ actor: `slack/${tom}`, body: { reason: 'not on the roster' } });
  });
});

/** The card that asks about a decision above all incidents. */
const cardSaying = (reason: string) =>
  until('the card', 120_000, () =>
    service.slack.channelMessages(channel).find(({ blocks }) => JSON.stringify(blocks ?? []).includes(reason)),
  );

const approve = (user: string, ts: string, buttonText: string) =>
  service.slack.click({ user, channel, ts, buttonText, dialog: { fb_reason: 'agreed' } });

describe('breaking glass from Slack', () => {
  test('names one incident, is decided by somebody else, announced to everybody, and ended by a command', async () => {
    const typed = { fb_scope: '0', fb_incident: `${namespace}/Deployment/none`, fb_hours: '1', fb_reason: 'it spreads fast' };
    const before = service.slack.ephemerals(ana).length;
    expect((await order(ana, `break-glass ${namespace}/Deployment/none`, typed)).result).toEqual({ outcome: 'closed' });
    const proposed = await told(ana, 'Somebody else must agree', before);
    expect(proposed).toContain('No incident with this name is open now');
    const id = /Proposed as ([0-9a-f]{16})/.exec(proposed)?.[1] ?? '';
    const found = async () =>
      (await control()).decisions.filter(isRestraint).find(({ proposal }) => proposal.order.terms.id === id);
    const terms = (await found())?.proposal.order.terms;
    expect(terms).toMatchObject({
      mode: 'break-glass',
      scope: { kind: 'incident', name: `incident/${service.cluster}/${namespace}/Deployment/none` },
      owner: 'ada',
    });
    const { ts } = await cardSaying('it spreads fast');
    await approve(ana, ts, 'Yes: break glass');
    await told(ana, 'You asked this yourself: somebody else must answer.', before);
    expect((await found())?.status.state).toBe('proposed');
    await approve(ben, ts, 'Yes: break glass');
    await until('the broken glass', 120_000, async () => (await found())?.status.state === 'active' || undefined);
    await until('the word to everybody', 120_000, () =>
      service.slack.world.messages.find(
        ({ text, ephemeralFor }) => ephemeralFor === undefined && text.includes(`Break-glass session ${id}, approved by Grace`),
      ),
    );
    await type(ana, `unfreeze ${id} it is over`);
    await told(ana, 'Ended: break-glass session for the incident');
    expect((await found())?.status).toMatchObject({ state: 'ended', by: { order: { person: 'ada', via: 'slack' } } });
  });
});

describe('a suppression in Slack', () => {
  test('is listed and ended by one person, by a command', async () => {
    const digest = `sha256:${'d'.repeat(64)}`;
    const workload = { kind: 'Deployment', name: 'noisy' };
    const at = new Date().toISOString();
    const terms: SuppressionTerms = {
      version: 1,
      id: '0123456789abcdef',
      cluster: service.cluster,
      match: { rule: 'Terminal shell in container', namespace, workload, image: { digest } },
      upTo: 'medium',
      owner: 'ada',
      reason: 'our own debug pod',
      from: at,
      until: new Date(Date.now() + 86_400_000).toISOString(),
    };
    const signer = await openSigner({ file: (await service.session()).config.desk.voteKeyFile });
    await proposeDecision(
      await service.session(),
      await signedWith({ version: 1, kind: 'suppression.propose', person: 'ada', at, terms, via: 'slack' }, signer),
    );
    const status = async () => (await control()).decisions.filter(isSuppression)[0]?.status;
    await approve(ben, (await cardSaying('our own debug pod')).ts, 'Yes: hide alerts');
    await until('the suppression', 120_000, async () => (await status())?.state === 'active' || undefined);
    await type(ben, 'suppress list');
    await told(ben, 'our own debug pod');
    await type(ben, `suppress end ${terms.id}`);
    await told(ben, 'say why, in a few words: suppress end ID REASON');
    await type(tom, `suppress end ${terms.id} I want it`);
    await told(tom, 'not on the roster');
    expect((await status())?.state).toBe('active');
    await type(ben, `suppress end ${terms.id} it is fixed`);
    await told(ben, 'no longer hidden');
    expect(await status()).toMatchObject({
      state: 'ended',
      by: { order: { person: 'grace', via: 'slack', reason: 'it is fixed' } },
    });
    await until('the word to everybody', 120_000, () =>
      service.slack.world.messages.find(
        ({ text, ephemeralFor }) => ephemeralFor === undefined && text.includes(`Suppression ${terms.id} was ended by Grace`),
      ),
    );
    await type(ben, `suppress end ${terms.id} once more`);
    await told(ben, 'There is no such suppression, or it is over.');
  });
});

describe('who may answer', () => {
  test('is shown for each group', async () => {
    await type(ana, 'oncall');
    expect(await told(ana, 'Who may answer now')).toMatch(/oncall.*Ada/);
  });
});

function pod(index: number): Workload {
  const found = workloads[index];
  if (!found) throw new Error('not deployed');
  return found;
}

describe('a quarantine that is ordered in Slack', () => {
  test('cuts the pod off through the chokepoint, and leaves what happens next to somebody other than its requester', async () => {
    const workload = pod(0);
    await type(ana, `quarantine ${namespace}/${workload.pod} --reason it talks to a miner`);
    await told(ana, 'You started it, so you decide nothing on it while somebody else can');
    await service.contained(workload, 120_000);
    const { timeline, actors, requesters, severity } = await service.stateWhen(
      'the question',
      workload,
      120_000,
      ({ questions }) => questions.some(({ question: { id } }) => !id.startsWith('lease:')),
    );
    expect([severity, actors, requesters]).toEqual(['critical', undefined, ['ada']]);
    expect(timeline.some(({ kind, text }) => kind === 'step.applied' && text.includes('uarantine'))).toBe(true);
    await service.click(workload, ana, 'Delete pod');
    await told(ana, 'as long as somebody else can be asked, they must answer');
    await service.click(workload, ben, 'Delete pod');
    await until('the effect', 120_000, () => service.effects.of('delete', podOf(workload))[0]);
    const record = (await control()).timeline.find(({ kind }) => kind === 'incident.started');
    expect(record).toMatchObject({ actor: 'person/ada', text: expect.stringContaining('it talks to a miner') });
  });

  test('for a pod that does not exist starts nothing, and says so', async () => {
    await type(ana, `quarantine ${namespace}/nothing-here because of that`);
    await told(ana, `The cluster has no pod ${namespace}/nothing-here.`);
  });

  test('cannot be ordered by anyone not on the roster', async () => {
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
    const view = await until('the dialog', 120_000, () => service.slack.world.openView(ana));
    const typed = { fb_pod: `${namespace}/${workload.pod}`, fb_wish: 'look', fb_severity: 'high', fb_reason: 'grace saw it' };
    expect((await service.slack.submitView({ viewId: view.id, user: ana, typed })).result).toEqual({ outcome: 'closed' });
    await until('the word under the message', 120_000, () =>
      service.slack.replies(channel, ts).find(({ text }) => text.includes('started the incident')),
    );
    const card = await service.cardOf(workload);
    expect(JSON.stringify(card.blocks)).toContain(`/archives/${channel}/p${ts.replace('.', '')}`);
    expect(service.effects.of('contain', podOf(workload))).toEqual([]);
    const records = await control();
    expect(records.timeline.some(({ kind, text }) => kind === 'incident.started' && text.includes('grace saw it'))).toBe(true);
    await service.click(workload, ben, 'Yes: quarantine pod');
    await service.contained(workload, 120_000);
  });
});

test('the records of all this are sound', async () => {
  expect((await auditReport({ config: service.settings.configFile })).findings).toEqual([]);
});
