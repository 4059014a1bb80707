import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { IncidentState } from '../../../../core/incident/incident-state.ts';
import { incidentState } from '../../../../service/incidents/session.ts';
import { testPlatform } from '../../../platform.ts';
import { podOf, until, type Workload } from '../parts/cluster.ts';
import { voteUntilAccepted } from '../parts/oracle.ts';
import { ana, ben, labels, Service } from '../parts/service.ts';

const { temporalAddress, temporalNamespace, kubeconfig, auditLog, freshNamespace } = await testPlatform();
let service: Service;
let workloads: readonly Workload[];

beforeAll(async () => {
  const namespace = await freshNamespace();
  const servers = { temporalAddress, temporalNamespace, kubeconfig, auditLog };
  service = await Service.create(servers, (config) => Object.assign(config, { watch: { namespaces: [namespace] } }), 'xapp-e2e');
  await service.start();
  workloads = await service.workloads.deploy(namespace, ['plain', 'killed', 'away']);
});

afterAll(() => service?.stop());

const connected = (count = 2) => until('the sockets', 120_000, () => service.slack.socket?.connections === count || undefined);

async function asked(index: number): Promise<Workload> {
  const workload = workloads[index];
  if (!workload) throw new Error('not deployed');
  await connected();
  await service.alert(workload);
  await service.cardOf(workload);
  return workload;
}

const votes = ({ timeline }: IncidentState) =>
  timeline.filter(({ kind, text }) => kind === 'vote.accepted' && !text.endsWith(': Extend it'));
const decided = ({ questions }: IncidentState) =>
  questions.some(({ question, status }) => !question.id.startsWith('lease:') && status.state === 'decided');

describe('in Socket Mode', () => {
  test('a click and its dialog become a vote, and the desk’s address accepts nothing from Slack', async () => {
    const workload = await asked(0);
    await service.click(workload, ana, labels.remove);
    const state = await service.stateWhen('the decision', workload, 120_000, decided);
    expect(votes(state)).toMatchObject([{ actor: 'person/ada' }]);
    await until('the effect', 120_000, () => service.effects.of('delete', podOf(workload))[0]);
    const answer = await fetch(`${service.settings.deskUrl}/slack/events`, { method: 'POST', body: 'payload={}' });
    expect(answer.status).toBe(404);
  });

  test('a dialog in flight when the desk is killed is resent, and is one vote', async () => {
    const workload = await asked(1);
    const { channel, ts } = await service.cardOf(workload);
    await service.slack.click({ user: ana, channel, ts, buttonText: labels.remove, dialog: 'leave' });
    const view = await until('the dialog', 120_000, () => service.slack.world.openView(ana));
    // It is accepted, but its acknowledgement is lost with the process, so it is delivered again to the next one.
    service.slack.socket?.loseAcks(1);
    const typed = { fb_target: workload.pod.slice(-4), fb_reason: 'Nobody built this binary' };
    const sending = service.slack.submitView({ viewId: view.id, user: ana, typed });
    await service.killAfter(150);
    await sending;
    await service.start();
    await connected();
    const state = await service.stateWhen('the decision', workload, 120_000, decided);
    expect(votes(state)).toMatchObject([{ actor: 'person/ada' }]);
    await until('the effect', 120_000, () => service.effects.of('delete', podOf(workload))[0]);
    expect(service.effects.of('delete', podOf(workload))).toHaveLength(1);
    expect(service.slack.socket?.problems).toEqual([]);
  });

  test('a click while no desk is running visibly fails, or is handled once by the next one', async () => {
    const workload = await asked(2);
    await service.kill();
    await connected(0);
    const { channel, ts } = await service.cardOf(workload);
    const { status } = await service.slack.click({ user: ben, channel, ts, buttonText: labels.release, dialog: 'leave' });
    expect(status).toBe(0);
    await service.start();
    // Temporal keeps the killed cell's task reserved for ten seconds; a query is answered after that, and need not be repeated.
    const id = service.incidentOf(workload);
    await expect(incidentState(await service.session(), { id })).resolves.toMatchObject({ incident: { id }, open: true });
    await connected();
    // A desk that is not yet connected to Temporal says so, and people click again.
    await voteUntilAccepted(service, workload, ana, labels.remove);
    const state = await service.stateWhen('the decision', workload, 120_000, decided);
    expect(votes(state).filter(({ actor }) => actor === 'person/ada')).toHaveLength(1);
  });
});
