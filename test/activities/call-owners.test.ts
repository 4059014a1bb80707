import { describe, expect, test } from '@jest/globals';
import { MockActivityEnvironment } from '@temporalio/testing';
import { deskCallOwners, followUpCallOwners, ownedByCaller, stepsSpeakFor } from '../../activities/desk/call-owners.ts';
import type { StepCall } from '../../core/action/step.ts';
import type { Question } from '../../core/decide/approval.ts';

const incident = { id: 'incident/lab/shop/Deployment/cart', run: 'run-1' };
const control = { id: 'control/lab', run: 'run-1' };
const shown = { ...incident, title: 'deployment/shop/cart', severity: 'high', cluster: 'lab' } as const;
const question: Question = {
  id: 'q',
  incident,
  severity: 'high',
  text: '',
  choices: [],
  levels: [],
  requester: 'engine',
  onSilence: '',
};
const call = { incident, action: 'openTicket' } as unknown as StepCall;
const post = { question };
const ticket = { system: 'jira', id: 'SEC-1' };
const owners = { ownerOf: async ({ id }: { readonly id: string }) => (id === 'SEC-1' ? incident : undefined) };

/** Each activity of the desk's queue, with the arguments that the incident's own workflow passes. */
const table = {
  ...deskCallOwners,
  ...followUpCallOwners(owners),
  ...stepsSpeakFor,
};
const own: Readonly<Record<keyof typeof table, { readonly by: string; readonly with: unknown }>> = {
  postQuestion: { by: incident.id, with: post },
  updateQuestion: { by: incident.id, with: post },
  postInThread: { by: incident.id, with: { key: 'k', incident: shown, text: 'x' } },
  showNotice: { by: control.id, with: { key: 'storm/lab/1', title: '', time: '', lines: [], table: [] } },
  answerClick: { by: incident.id, with: { incident, click: 'c', signature: 's', text: 'x' } },
  recordAudit: { by: incident.id, with: [{ chain: `${incident.id}@run-1` }, { chain: `${incident.id}@run-1` }] },
  updateTicket: { by: incident.id, with: { incident, ticket } },
  callPeople: { by: incident.id, with: { incident: shown, began: 0, nth: 0, group: 'oncall', summary: '', details: {} } },
  endPage: { by: incident.id, with: { incident, began: 0, nth: 0, groups: [] } },
  ticketNews: { by: incident.id, with: { incident, after: 0 } },
  planStep: { by: incident.id, with: call },
  applyStep: { by: incident.id, with: call },
  applyStepNow: { by: incident.id, with: call },
  verifyStep: { by: incident.id, with: { call, output: {} } },
  undoStep: { by: incident.id, with: { call, reason: { kind: 'step-failed' } } },
  verifyVote: { by: incident.id, with: { question } },
  verifyRemark: { by: incident.id, with: { question } },
  answerersTo: { by: incident.id, with: { question } },
};

const names = Object.keys(own) as (keyof typeof table)[];

/** Outcome of a call by a workflow: whether the activity ran, or how it was refused. */
async function called(name: keyof typeof table, by: string, input: unknown): Promise<string> {
  const done: string[] = [];
  const activities = Object.fromEntries(names.map((one) => [one, async () => void done.push(one)]));
  const bound = ownedByCaller(activities, table as never);
  const environment = new MockActivityEnvironment({ workflowExecution: { workflowId: by, runId: 'r' } });
  const work = bound[name] as unknown as (given: unknown) => Promise<void>;
  return environment.run(work, input).then(
    () => done.join(),
    (error: { readonly type?: string; readonly nonRetryable?: boolean }) => `${error.type}${error.nonRetryable ? '' : ' again'}`,
  );
}

describe('at the desk a workflow', () => {
  test.each(names)('may call %s for itself', async (name) => {
    expect(await called(name, own[name].by, own[name].with)).toBe(name);
  });

  test.each(names)('may not call %s for another one, or without naming one', async (name) => {
    for (const other of ['incident/lab/shop/Deployment/other', 'incident/prod/shop/Deployment/cart', 'control/prod'])
      expect(await called(name, other, own[name].with)).toBe('FB_ERR_REFUSED');
    for (const empty of [undefined, null, {}, [], 'x']) expect(await called(name, own[name].by, empty)).toBe('FB_ERR_REFUSED');
  });

  test('may not update a ticket of another incident, or an unknown one', async () => {
    const other = 'incident/lab/shop/Deployment/other';
    const theirs = { incident: { id: other, run: 'run-1' }, ticket };
    expect(await called('updateTicket', other, theirs)).toBe('FB_ERR_REFUSED');
    const unknown = { incident, ticket: { system: 'jira', id: 'SEC-2' } };
    expect(await called('updateTicket', incident.id, unknown)).toBe('FB_ERR_REFUSED');
  });

  test('may not put another one’s record into its batch', async () => {
    const mixed = [{ chain: `${incident.id}@run-1` }, { chain: 'incident/lab/shop/Deployment/other@run-1' }];
    expect(await called('recordAudit', incident.id, mixed)).toBe('FB_ERR_REFUSED');
  });

  test('may not replace another cluster’s notice, or the desk’s own', async () => {
    for (const key of ['waiting:2026-03-01', 'storm/prod/1', 'question-1', 'storm//1', ''])
      expect(await called('showNotice', control.id, { key })).toBe('FB_ERR_REFUSED');
  });
});
