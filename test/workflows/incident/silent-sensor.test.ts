import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Page } from '../../../core/tickets/paging.ts';
import { type Lab, type RunningIncident, startLab } from '../harness.ts';
import { alertOf } from '../people.ts';
import { mainQuestion } from '../voting.ts';

const called: Omit<Page, 'key'>[] = [];
const settings = { playbooks: ['firebreak/ask-about-silent-sensor'], followUp: { tickets: true, pages: true } };
let lab: Lab;

beforeAll(async () => {
  lab = await startLab({
    others: {
      callPeople: async (page) => void called.push(page),
      endPage: async () => undefined,
      updateTicket: async () => undefined,
      ticketNews: async () => [],
    },
  });
});
afterAll(() => lab.stop());

function silent(severity: 'high' | 'critical') {
  const {
    pod: _,
    workload: __,
    container: ___,
    ...node
  } = alertOf({
    sensor: 'firebreak',
    rule: 'Sensor silent',
    title: 'falco on node n1 has sent no heartbeat',
    severity,
    node: 'n1',
  });
  return node;
}

const groupsCalled = ({ id }: RunningIncident) => called.filter((page) => page.incident.id === id).map(({ group }) => group);
const ticketsOf = ({ id }: RunningIncident) =>
  lab.seen.applied.filter(({ incident, action }) => incident.id === id && action === 'openTicket');
const untilCalled = (incident: RunningIncident, group: string) =>
  incident.until(
    ({ timeline }) => timeline.some(({ kind, text }) => kind === 'page.sent' && text.startsWith(`${group} is called`)),
    `a call of ${group}`,
  );

describe('a sensor that is silent', () => {
  test('on a node that had alerts just before, wakes people with the question', async () => {
    const incident = await lab.start([silent('critical')], settings);
    await untilCalled(incident, 'oncall');
    expect(mainQuestion(await incident.state())).toMatchObject({ level: 0, status: { state: 'open' } });
    for (const person of ['ana', 'ben']) await incident.vote('expected', person);
    expect(await incident.result()).toMatchObject({ verdict: 'benign' });
    expect([groupsCalled(incident), ticketsOf(incident)]).toEqual([['oncall'], []]);
  });

  test('alone, wakes nobody at first, and the next level when nobody answers; in silence a ticket is filed', async () => {
    const incident = await lab.start([silent('high')], settings);
    await incident.question();
    await lab.env.sleep('16m');
    await untilCalled(incident, 'leads');
    expect(groupsCalled(incident)).toEqual(['leads']);
    expect(await incident.result()).toMatchObject({ verdict: 'unknown' });
    expect(ticketsOf(incident)).toMatchObject([{ input: { title: 'No sensor watches node n1' } }]);
  });

  test('that nobody has switched off is suspicious, and gets a ticket', async () => {
    const incident = await lab.start([silent('high')], settings);
    await incident.vote('unexpected', 'ana');
    expect(await incident.result()).toMatchObject({ verdict: 'suspicious' });
    expect(ticketsOf(incident)).toHaveLength(1);
  });
});
