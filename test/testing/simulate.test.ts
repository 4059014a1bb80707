import { describe, expect, test } from '@jest/globals';
import { data, defineAction } from '../../authoring/actions.ts';
import { deletePod, openTicket, quarantinePod, snapshotPodState } from '../../core/actions/index.ts';
import type { Alert } from '../../core/alert/alert.ts';
import { param } from '../../core/playbook/params.ts';
import { definePlaybook, type Playbook } from '../../core/playbook/playbook.ts';
import { askAboutShell, containDroppedBinary, quarantineOnOrder } from '../../playbooks/index.ts';
import { simulate } from '../../testing/simulate.ts';
import { type Story, tellStory } from '../../testing/story.ts';
import { assessedAs } from '../fixtures/assessed.ts';
import { alertOf } from './alert-of.ts';

const close = defineAction({
  name: 'close',
  title: 'Close',
  effect: 'reversible',
  reach: 'workload',
  input: { port: data.number('Port') },
  output: {},
  implementation: 'close.ts',
  verifiedBy: 'Read back.',
  undo: 'Opens it again.',
  example: { port: 1 },
  sample: {},
});

const stepsOf = ({ steps }: Story): readonly string[] =>
  steps.map(({ action, state, approvedBy }) => [action, state, ...approvedBy].join(' '));

describe('a simulation', () => {
  test('runs what people answer, as the engine would: in order, with their approval, and with as many people as needed', async () => {
    const story = await simulate(containDroppedBinary, { alert: alertOf(), answer: 'release' });
    expect(stepsOf(story)).toEqual([
      'quarantinePod done',
      'snapshotPodState done',
      'openTicket done',
      'quarantinePod undone oncall-1 oncall-2',
    ]);
    expect(story).toMatchObject({ playbooks: ['contain-dropped-binary'], verdict: 'benign', left: [], end: 'done' });
    expect(story.questions).toMatchObject([{ answer: 'release', by: ['oncall-1', 'oncall-2'], groups: ['oncall', 'leads'] }]);
  });

  test('does what mode, profile, scopes and own rules of the configuration let it do', async () => {
    const { assessment: _, ...alert } = alertOf();
    const contains = async (options: Omit<Parameters<typeof simulate>[1], 'alert'>) => {
      const { steps, questions, events } = await simulate(containDroppedBinary, { alert, ...options });
      return {
        cutOff: steps.some(({ action, state }) => action === 'quarantinePod' && state === 'done'),
        asked: questions.length > 0,
        withheld: events.some(({ kind }) => kind === 'question.withheld'),
      };
    };
    const cutOff = { cutOff: true, asked: true, withheld: false };
    const asked = { cutOff: false, asked: true, withheld: false };
    const observed = { cutOff: false, asked: false, withheld: true };
    expect(await contains({})).toEqual(cutOff);
    expect(await contains({ response: { mode: 'ask' } })).toEqual(asked);
    expect(await contains({ response: { mode: 'observe' } })).toEqual(observed);
    expect(await contains({ response: { profile: 'cautious' } })).toEqual(asked);
    expect(await contains({ own: [{ rule: alert.rule, confidence: 'weak' }] })).toMatchObject({ cutOff: false });
    const shops = { namespaces: ['shop*'], mode: 'contain' as const };
    expect(await contains({ response: { mode: 'observe', scopes: [shops] } })).toEqual(cutOff);
    expect(await contains({ response: { mode: 'observe', scopes: [{ ...shops, namespaces: ['bank'] }] } })).toEqual(observed);
    const byPlaybook = { playbooks: [containDroppedBinary.id], mode: 'ask' as const };
    expect(await contains({ response: { scopes: [byPlaybook] } })).toEqual(asked);
  });

  test('contains a pod if nobody answers, only where mode contain and the policy say so', async () => {
    const { assessment: _, ...alert } = alertOf({ rule: 'Terminal shell in container', severity: 'high' });
    const onSilence = async (options: Omit<Parameters<typeof simulate>[1], 'alert'>) => {
      const { steps, questions, left, end } = await simulate(askAboutShell, { alert, ...options });
      const cutOff = steps.some(({ action, state }) => action === 'quarantinePod' && state === 'done');
      return { cutOff, said: questions.map(({ onSilence: said }) => said), left: left.length, end };
    };
    const nothing = 'Nothing is done to the pod. A ticket is filed.';
    const contains = 'The pod is quarantined for 4 hours, and then until people release it. This can be undone at any time.';
    const stays = 'The pod stays quarantined.';
    expect(await onSilence({})).toEqual({ cutOff: false, said: [nothing], left: 0, end: 'done' });
    const contained = { cutOff: true, said: [contains, stays], left: 1, end: 'done' };
    expect(await onSilence({ response: { onSilence: 'contain' } })).toEqual(contained);
    const scopes = [{ name: 'shops', namespaces: ['shop*'], onSilence: 'contain' as const }];
    expect(await onSilence({ response: { scopes } })).toEqual(contained);
    expect(await onSilence({ response: { onSilence: 'contain', mode: 'ask' } })).toMatchObject({
      cutOff: false,
      said: [nothing],
    });
    expect(await onSilence({ response: { onSilence: 'contain', mode: 'observe' } })).toMatchObject({ cutOff: false });
    const answered = await onSilence({ response: { onSilence: 'contain' }, answer: 'look' });
    expect(answered).toMatchObject({ cutOff: false, said: [contains] });
    const strictly = {
      ...alert,
      assessment: { ...assessedAs('ask'), profile: 'strict' as const, onSilence: 'contain' as const },
    };
    const inStrict = await simulate(askAboutShell, { alert: strictly, response: { profile: 'strict' } });
    expect(inStrict.steps.filter(({ action, state }) => action === 'quarantinePod' && state === 'done')).toHaveLength(1);
    const full = await onSilence({ response: { onSilence: 'contain' }, guardrails: { namespaceCap: 0 } });
    expect(full).toMatchObject({ cutOff: false, said: [nothing] });
  });

  test('judges a rule by what its playbook says of it', async () => {
    const { assessment: _, ...alert } = alertOf({ rule: 'Our rule', severity: 'medium' });
    const cutsOff = async (rules: NonNullable<Playbook['rules']>) => {
      const own = {
        ...containDroppedBinary,
        on: { ...containDroppedBinary.on, match: { rule: 'Our rule' }, minSeverity: 'low' as const },
        rules,
      };
      const { steps } = await simulate(own, { alert });
      return steps.some(({ action, state }) => action === 'quarantinePod' && state === 'done');
    };
    expect(await cutsOff({})).toBe(false);
    expect(await cutsOff({ 'Our rule': { confidence: 'sure', why: 'we wrote it' } })).toBe(true);
  });

  test('skips the waiting time of silence, and says what stays in force', async () => {
    const story = await simulate(containDroppedBinary, { alert: alertOf() });
    expect(story.questions).toMatchObject([{ answer: 'silence', by: [] }]);
    expect(story.left).toMatchObject([
      { action: 'quarantinePod', target: 'pod/shop/cart-1', contains: true, inSilence: 'renew' },
    ]);
    const escalated = story.events.find(({ kind }) => kind === 'question.escalated');
    expect(escalated).toMatchObject({ at: 15 * 60_000 + 1_000, text: 'nobody answered in time: leads is asked' });
    expect(tellStory(story)).toContain('In force: quarantinePod on pod/shop/cart-1 until +4h00m; in silence: renew.');
  });

  test('says that silence renews a pack action’s lease, even if an untyped playbook asks to release it', async () => {
    const wish: object = { onExpiry: 'release' };
    const playbook = definePlaybook(
      { id: 'close', title: 'Close', on: { match: { rule: alertOf().rule }, minSeverity: 'low', requires: [] }, uses: { close } },
      async ({ steps, ask }) => {
        const plan = { yes: await steps.close.plan({ port: 1 }) };
        const answer = await ask({ question: 'Close it?', choices: { yes: 'Yes', no: 'No' }, plan, onSilence: 'It stays open.' });
        if (answer.choice === 'yes') await steps.close({ port: 1, lease: '1h', ...wish }, answer.approval);
      },
    );
    const { left } = await simulate(playbook, { alert: alertOf({ severity: 'medium' }), answer: 'yes' });
    expect(left).toMatchObject([{ action: 'close', inSilence: 'renew' }]);
  });

  test('accepts a sequence of answers, including from a group asked later', async () => {
    const answers = await simulate(containDroppedBinary, { alert: alertOf(), answer: ['remove', 'rotate'] });
    expect(stepsOf(answers).slice(-3)).toEqual([
      'rotateSecret done oncall-1',
      'deletePod done oncall-1',
      'rotateSecret done oncall-1',
    ]);
    const late = await simulate(askAboutShell, {
      alert: alertOf({ rule: 'Terminal shell in container', assessment: assessedAs('ask') }),
      answer: () => ({ choice: 'expected', level: 1 }),
    });
    expect(late.questions).toMatchObject([{ answer: 'expected', by: ['leads-1', 'leads-2'] }]);
  });

  test('refuses an answer that its question does not have', async () => {
    await expect(simulate(containDroppedBinary, { alert: alertOf(), answer: ['delete'] })).rejects.toThrow(
      '“delete” is not a choice of “Is the new binary in cart-1 expected?”: use one of release, watch, remove, or silence',
    );
  });

  test('waits for evidence before anything is destroyed, and asks whether to continue without it', async () => {
    const options = {
      alert: alertOf(),
      failures: { snapshotPodState: 'FB_ERR_REFUSED' },
    } as const;
    const waited = await simulate(containDroppedBinary, { ...options, answer: 'remove' });
    const deleted = waited.events.find(({ text }) => text === 'Delete the pod: pod/shop/cart-1');
    expect(deleted?.at).toBeGreaterThanOrEqual(30 * 60_000);
    expect(waited.questions.map(({ asker, answer }) => [asker, answer])).toContainEqual(['engine', 'void']);
    const waived = await simulate(containDroppedBinary, {
      ...options,
      answer: ({ asker }) => (asker === 'engine' ? 'waive' : 'remove'),
    }).catch((error: unknown) => error);
    expect(waived).toMatchObject({ message: expect.stringContaining('rotate, keep, or silence') });
    const gone = await simulate(containDroppedBinary, {
      ...options,
      answer: ({ asker, choices }) => (asker === 'engine' ? 'waive' : choices.find(({ id }) => id === 'remove')?.id),
    });
    expect(gone.events.find(({ text }) => text === 'Delete the pod: pod/shop/cart-1')?.at).toBeLessThan(10 * 60_000);
  });

  test('asks people if a cap is reached, and continues with their approval', async () => {
    const story = await simulate(quarantineOnOrder, {
      alert: alertOf({ sensor: 'firebreak', rule: 'Quarantine ordered by a person' }),
      guardrails: { clusterCap: 0, namespaceReserve: 0 },
      answer: ({ asker }) => (asker === 'engine' ? 'apply' : undefined),
    });
    expect(stepsOf(story).slice(0, 3)).toEqual(['quarantinePod failed', 'snapshotPodState done', 'quarantinePod done oncall-1']);
  });

  test('does not act automatically on what is not assessed as to be cut off', async () => {
    const story = await simulate(quarantines, { alert: alertOf({ severity: 'high' }) });
    expect(story).toMatchObject({ end: 'failed', error: { code: 'FB_ERR_ASK_FIRST' }, left: [] });
  });

  test('joins what is already in force for a second alert of the same pod', async () => {
    const story = await simulate([containDroppedBinary, quarantines], { alert: alertOf() });
    expect(stepsOf(story).filter((step) => step.startsWith('quarantinePod'))).toEqual([
      'quarantinePod done',
      'quarantinePod joined',
    ]);
    expect(story.playbooks).toEqual(['contain-dropped-binary', 'quarantines']);
  });

  test('runs further alerts of the incident as they arrive', async () => {
    const pod = { namespace: 'shop', name: 'cart-2', uid: 'uid-2' };
    const story = await simulate(quarantines, {
      alert: alertOf(),
      more: [{ after: '5m', alert: alertOf({ id: 'b', pod }) }],
      replicas: 10,
    });
    expect(story.steps.map(({ target }) => target)).toEqual(['pod/shop/cart-1', 'pod/shop/cart-2']);
  });

  test('says if nothing answers the alert', async () => {
    const story = await simulate(containDroppedBinary, { alert: alertOf({ rule: 'Something else' }) });
    expect(story).toMatchObject({ end: 'unmatched', playbooks: [] });
    expect(tellStory(story)).toEqual(['No playbook answers this alert.']);
  });

  test('refuses a verdict that nobody gave, a step that nobody approved, and the plan of something else', async () => {
    const story = await simulate(cheats, { alert: alertOf(), answer: 'delete' });
    expect(story.verdict).toBe('unknown');
    expect(story.events).toContainEqual(expect.objectContaining({ kind: 'verdict.refused' }));
    expect(story.steps).toMatchObject([
      { action: 'snapshotPodState', state: 'done' },
      { action: 'deletePod', state: 'failed', code: 'FB_ERR_APPROVAL_INVALID' },
      {
        action: 'deletePod',
        state: 'failed',
        code: 'FB_ERR_PLAN_CHANGED',
        reason: expect.stringMatching(/^people were not shown deletePod of .* with “delete”: ask\(\) must offer its plan/),
      },
    ]);
  });

  test('says where a body throws, and what it did not wait for', async () => {
    const story = await simulate(throws, { alert: alertOf() });
    expect(story).toMatchObject({ end: 'failed', error: { code: 'FB_ERR_INTERNAL', message: 'undefined is not a pod' } });
    expect(story.error?.stack).toContain('simulate.test.ts');
    expect((await simulate(forgets, { alert: alertOf() })).notAwaited).toEqual([expect.stringMatching(/^openTicket on outside/)]);
    expect(await simulate(skips, { alert: alertOf(), params: { least: 3 } })).toMatchObject({
      end: 'skipped',
      steps: [],
      notes: [],
    });
  });

  test('ends a body that waits for something that never comes', async () => {
    expect(await simulate(waits, { alert: alertOf() })).toMatchObject({ end: 'endless' });
  });

  test('uses outputs and plans supplied by the test', async () => {
    const story = await simulate(containDroppedBinary, {
      alert: alertOf(),
      answer: 'remove',
      outputs: { rotateSecret: { rotated: [], refused: [] } },
      plans: { deletePod: { blastRadius: ['pod/shop/cart-1', 'persistentvolumeclaim/shop/data'] } },
    });
    expect(story.questions).toHaveLength(1);
    expect(story.plans.find(({ action }) => action === 'deletePod')).toMatchObject({
      blastRadius: ['pod/shop/cart-1', 'persistentvolumeclaim/shop/data'],
      notes: ['A sketch, made without a cluster: the real plan names all that it would touch.'],
    });
  });

  test('is independent: each has its own clock and ids', async () => {
    const alone = await simulate(containDroppedBinary, { alert: alertOf(), answer: 'remove' });
    const together = await Promise.all(
      Array.from({ length: 5 }, () => simulate(containDroppedBinary, { alert: alertOf(), answer: 'remove' })),
    );
    for (const story of together) expect(story).toEqual(alone);
  });
});

const on = { match: { rule: alertOf().rule }, minSeverity: 'low', requires: ['pod'] } as const;

const quarantines = definePlaybook(
  { id: 'quarantines', title: 'Quarantines', on, uses: { quarantinePod } },
  async ({ alert, steps }) => {
    await steps.quarantinePod({ pod: alert.pod });
  },
);

const cheats = definePlaybook(
  { id: 'cheats', title: 'Does what it may not', on, uses: { deletePod, snapshotPodState } },
  async ({ alert, steps, ask, settle, verdict }) => {
    verdict('benign', 'because I say so');
    await steps.snapshotPodState({ pod: alert.pod });
    const other: Alert['pod'] & { uid: string } = { namespace: 'shop', name: 'cart-9', uid: 'uid-9' };
    const { delete: plan } = { delete: await steps.deletePod.plan({ pod: alert.pod }) };
    const answer = await ask({
      question: 'Delete it?',
      choices: { delete: 'Yes', no: 'No' },
      plan: { delete: plan },
      onSilence: 'Nothing.',
    });
    if (answer.choice !== 'delete') return;
    const nobody = { proof: { ...answer.approval.proof, votes: [] }, covers: answer.approval.covers };
    await settle({
      unapproved: steps.deletePod({ pod: alert.pod }, nobody),
      another: steps.deletePod({ pod: other }, answer.approval),
    });
  },
);

const throws = definePlaybook({ id: 'throws', title: 'Throws', on, uses: {} }, async () => {
  throw new TypeError('undefined is not a pod');
});

const skips = definePlaybook(
  { id: 'skips', title: 'Skips', on, uses: {}, params: { least: param.number(1) } },
  async ({ incident, params, skip, note, log }) => {
    log('looks', { alerts: incident.alerts });
    if (incident.alerts < params.least) skip(`fewer than ${params.least}`);
    note('enough');
  },
);

const forgets = definePlaybook({ id: 'forgets', title: 'Forgets', on, uses: { openTicket } }, async ({ steps }) => {
  void steps.openTicket({ title: 'Nobody waits for it', body: '', labels: [] });
});

const waits = definePlaybook({ id: 'waits', title: 'Waits', on, uses: {} }, () => new Promise<void>(() => undefined));
