import { expect, test } from '@jest/globals';
import { defaultGuardrails } from '../../../core/action/guardrail.ts';
import type { Alert } from '../../../core/alert/alert.ts';
import { silenceUnder } from '../../../core/assessment/assessment.ts';
import { Assessor } from '../../../core/assessment/assessor.ts';
import { HeldBack } from '../../../core/assessment/held-back.ts';
import { weakerOf } from '../../../core/assessment/policy.ts';
import { modes, profiles } from '../../../core/assessment/response.ts';
import { containedOnSilence } from '../../../core/assessment/silence-seal.ts';
import { PodStories } from '../../../core/assessment/stories.ts';
import type { Question } from '../../../core/decide/approval.ts';
import { openState, silenceAt } from '../../../core/decide/question.ts';
import { answering } from '../../../core/playbook/answering.ts';
import { playbooks } from '../../../playbooks/index.ts';
import { alertOf } from '../../testing/alert-of.ts';

const minute = 60_000;
const { assessment: _, ...shell } = alertOf({ rule: 'Launch Package Management Process in Container', severity: 'high' });

function assessed(alert: Alert, mode: (typeof modes)[number] = 'contain') {
  const assessor = new Assessor({
    stories: new PodStories(),
    policyOf: () => ({ mode, profile: 'balanced', onSilence: 'contain', scope: 'all' }),
    key: new Uint8Array(32).fill(3),
    heldBack: new HeldBack({
      ...{ rules: defaultGuardrails, windowMs: 60 * minute, podsOf: () => 10, held: () => [] },
      levels: [{ group: 'oncall', withinMs: 15 * minute }],
      playbooksOf: (one) => answering(playbooks, one),
    }),
  });
  const { response, onSilence, seal } = assessor.assessed(alert, { nowMs: 0 }).assessment ?? {};
  return { response, onSilence, isSealed: seal !== undefined };
}

test('only mode contain does anything on silence: as the policy says, and always in the profile strict', () => {
  const contains = modes.flatMap((mode) =>
    profiles.flatMap((profile) =>
      (['nothing', 'contain'] as const)
        .filter((onSilence) => silenceUnder({ mode, profile, onSilence }) === 'contain')
        .map((onSilence) => `${mode} ${profile} ${onSilence}`),
    ),
  );
  expect(contains).toEqual([
    'contain cautious contain',
    'contain balanced contain',
    'contain strict nothing',
    'contain strict contain',
  ]);
});

test('of two policies that may hold, the one that does less on silence is the weaker', () => {
  const strict = { mode: 'contain', profile: 'strict', onSilence: 'nothing', scope: 'one' } as const;
  const balanced = { ...strict, profile: 'balanced', scope: 'other' } as const;
  expect(weakerOf(strict, balanced)).toBe(balanced);
  expect(weakerOf(balanced, strict)).toBe(balanced);
});

test('the cell says so only of a pod that it knows, about which people are asked, and which a guardrail lets be contained', () => {
  expect(assessed(shell)).toEqual({ response: 'ask', onSilence: 'contain', isSealed: true });
  const nothing = { onSilence: 'nothing', isSealed: false };
  expect(assessed(shell, 'ask')).toMatchObject(nothing);
  expect(assessed(shell, 'observe')).toMatchObject(nothing);
  expect(assessed({ ...shell, severity: 'medium', rule: 'Terminal shell in container' })).toMatchObject(nothing);
  expect(assessed({ ...shell, doubt: 'the pod is not there' })).toMatchObject({ response: 'ask', ...nothing });
  const { pod, ...host } = shell;
  expect(assessed(host)).toMatchObject({ response: 'ask', ...nothing });
  expect(assessed({ ...shell, pod: { namespace: 'kube-system', name: 'dns', uid: 'dns' } })).toMatchObject(nothing);
  expect(pod).toBeDefined();
});

test('a level that is called early leaves people the whole time', () => {
  const until = new Date(75 * minute).toISOString();
  const levels = [15, 60].map((minutes) => ({ group: 'oncall', withinMs: minutes * minute }));
  const question: Question = {
    id: 'q',
    incident: { id: 'i', run: 'r' },
    severity: 'high',
    text: '',
    choices: [],
    levels,
    requester: 'playbook/p',
    onSilence: containedOnSilence,
    containsOnSilence: 'uid-1',
    until,
  };
  const called = { ...openState(question, { at: 0 }), level: 1, levelUntil: new Date(61 * minute).toISOString() };
  expect(silenceAt(called)).toBe(until);
  const { containsOnSilence: _, ...other } = question;
  expect(silenceAt({ ...called, question: other })).toBe(new Date(61 * minute).toISOString());
});
