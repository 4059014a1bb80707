import { describe, expect, test } from '@jest/globals';
import { actions } from '../../../core/actions/index.ts';
import { rbacManifests } from '../../../service/rbac/manifests.ts';
import { risksOf } from '../../../service/rbac/risks.ts';

describe('what a thief of an account could do', () => {
  const risks = risksOf(rbacManifests({ actions, namespace: 'firebreak' }));

  test('is described for every right that changes something, whatever actions are turned on', () => {
    expect(risks.filter(({ alone }) => alone === 'unknown')).toEqual([]);
    expect([...new Set(risks.map(({ account }) => account))].sort()).toEqual([
      'firebreak-cell',
      'firebreak-forensics',
      'firebreak-secrets',
    ]);
  });

  test('is read from the policies of that account: those of another one narrow nothing', () => {
    const of = (account: string, right: string) => risks.find((one) => one.account === account && one.right === right);
    expect(of('firebreak-cell', 'patch pods')?.heldTo[0]).toContain('nothing else');
    expect(of('firebreak-secrets', 'delete pods')?.heldTo).toEqual([]);
    expect(of('firebreak-secrets', 'patch deployments.apps')?.heldTo.join()).not.toContain('security fields');
    expect(of('firebreak-forensics', 'get pods/exec')?.heldTo).toContain(
      'Firebreak may run only /firebreak-tools, in a container or a pod of its own',
    );
  });

  test('is narrowed by the manifest of each action alone: nobody need apply those of others', () => {
    const strong = ['patch pods/ephemeralcontainers', 'pods/exec', 'create pods', 'patch pods', 'create networkpolicies'];
    const open = actions.flatMap((action) =>
      risksOf(rbacManifests({ actions: [action], namespace: 'firebreak' }))
        .filter(({ right, heldTo }) => heldTo.length === 0 && strong.some((one) => right.includes(one)))
        .filter(({ right }) => !right.startsWith('create pods/eviction'))
        .map(({ right }) => `${action.name}: ${right}`),
    );
    expect(open).toEqual([]);
  });

  test('is less with the actions that are shipped: a template is not touched where nothing hardens it', () => {
    const few = actions.filter(({ name }) => name === 'restartWorkload');
    const [risk] = risksOf(rbacManifests({ actions: few, namespace: 'firebreak' })).filter(
      ({ right }) => right === 'patch deployments.apps',
    );
    expect(risk?.heldTo).toContain('Firebreak may change nothing of what a workload runs');
  });
});
