import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import {
  defaultResponse,
  type PolicySubject,
  policyFor,
  type ResponseRules,
  type ResponseScope,
  silences,
} from '../../../core/assessment/policy.ts';
import { modes, profiles } from '../../../core/assessment/response.ts';

const rules = (scopes: readonly ResponseScope[], rest: Partial<ResponseRules> = {}): ResponseRules => ({
  ...defaultResponse,
  mode: 'observe',
  ...rest,
  scopes,
});
const pod = (rest: Partial<PolicySubject> = {}): PolicySubject => ({
  cluster: 'prod-eu',
  namespace: 'shop-web',
  namespaceLabels: { tier: 'front' },
  workloadLabels: { app: 'web' },
  playbooks: ['firebreak/contain-dropped-binary'],
  ...rest,
});
const modeOf = (scopes: readonly ResponseScope[], subject = pod()) => policyFor(rules(scopes), subject).mode;

describe('the policy for a subject', () => {
  it('is that of the first scope that matches', () => {
    const scopes: readonly ResponseScope[] = [
      { name: 'bank', namespaces: ['bank'], mode: 'ask' },
      { name: 'shops', namespaces: ['shop-*'], mode: 'contain', profile: 'cautious' },
      { namespaces: ['*'], mode: 'ask' },
    ];
    expect(policyFor(rules(scopes), pod())).toEqual({
      mode: 'contain',
      profile: 'cautious',
      onSilence: 'nothing',
      scope: 'scope shops',
    });
    expect(policyFor(rules(scopes), pod({ namespace: 'other' })).scope).toBe('scope 3 (namespace *)');
    expect(policyFor(rules(scopes), pod({ namespace: undefined }))).toMatchObject({ mode: 'observe', scope: 'no scope matches' });
  });

  it.each<[string, ResponseScope, Partial<PolicySubject>]>([
    ['cluster', { clusters: ['prod-*'] }, { cluster: 'test' }],
    ['namespace', { namespaces: ['shop-*'] }, { namespace: 'my-shop-web' }],
    ['namespace', { namespaces: ['shop.web'] }, { namespace: 'shop-web' }],
    ['namespace label', { namespaceLabels: { tier: 'front' } }, { namespaceLabels: { tier: 'back' } }],
    ['namespace label', { namespaceLabels: { tier: 'front' } }, { namespaceLabels: undefined }],
    ['workload label', { workloadLabels: { app: 'web' } }, { workloadLabels: { app: null } }],
    ['playbook', { playbooks: ['firebreak/contain-dropped-binary'] }, { playbooks: ['firebreak/other'] }],
    ['playbook', { playbooks: ['firebreak/contain-dropped-binary'] }, { playbooks: [] }],
    ['every condition', { namespaces: ['shop-*'], clusters: ['prod-eu'] }, { cluster: 'prod-us' }],
  ])('asks for the %s', (_, scope, other) => {
    if (!scope.namespaces?.includes('shop.web')) expect(modeOf([{ ...scope, mode: 'contain' }])).toBe('contain');
    expect(modeOf([{ ...scope, mode: 'contain' }], pod(other))).toBe('observe');
  });

  it('does not read the labels that every object has', () => {
    expect(modeOf([{ namespaceLabels: { constructor: 'x' }, mode: 'contain' }])).toBe('observe');
  });

  it('is the strongest of those of all playbooks that answer', () => {
    const scopes: readonly ResponseScope[] = [
      { playbooks: ['a/noisy'], mode: 'observe' },
      { namespaces: ['shop-*'], mode: 'contain' },
    ];
    expect(modeOf(scopes, pod({ playbooks: ['a/noisy'] }))).toBe('observe');
    expect(modeOf(scopes, pod({ playbooks: ['a/noisy', 'a/contain'] }))).toBe('contain');
    expect(modeOf(scopes, pod({ playbooks: ['a/contain', 'a/noisy'] }))).toBe('contain');
  });

  it('says both scopes where each gives a part of it', () => {
    const scopes: readonly ResponseScope[] = [
      { name: 'tagged', workloadLabels: { app: 'web' }, mode: 'ask', profile: 'strict' },
      { name: 'shops', namespaces: ['shop-*'], mode: 'contain' },
    ];
    expect(policyFor(rules(scopes), pod())).toEqual({
      mode: 'contain',
      profile: 'strict',
      onSilence: 'nothing',
      scope: 'scope tagged, strengthened by scope shops',
    });
  });

  it('is never weakened by the labels that whoever edits a workload writes', () => {
    const labels = fc.dictionary(fc.constantFrom('app', 'tier'), fc.constantFrom('web', 'db'), { maxKeys: 2 });
    const optional = <T>(one: fc.Arbitrary<T>) => fc.option(one, { nil: undefined });
    const scope = fc
      .record({
        namespaces: optional(fc.constantFrom(['shop-*'], ['bank'])),
        workloadLabels: optional(labels),
        playbooks: optional(fc.constantFrom(['a'], ['b'])),
        mode: optional(fc.constantFrom(...modes)),
        profile: optional(fc.constantFrom(...profiles)),
        onSilence: optional(fc.constantFrom(...silences)),
      })
      .map((all): ResponseScope => Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined)));
    const playbooks = fc.subarray(['a', 'b', 'c']);
    fc.assert(
      fc.property(fc.array(scope, { maxLength: 6 }), fc.constantFrom(...modes), labels, playbooks, (scopes, mode, own, of) => {
        const subject = pod({ workloadLabels: own, playbooks: of });
        const held = policyFor(rules(scopes, { mode }), subject);
        const without = policyFor(
          rules(
            scopes.filter((one) => one.workloadLabels === undefined),
            { mode },
          ),
          subject,
        );
        expect(modes.indexOf(held.mode)).toBeGreaterThanOrEqual(modes.indexOf(without.mode));
        expect(profiles.indexOf(held.profile)).toBeGreaterThanOrEqual(profiles.indexOf(without.profile));
        expect(silences.indexOf(held.onSilence)).toBeGreaterThanOrEqual(silences.indexOf(without.onSilence));
      }),
    );
  });
});
