import { declareAction } from '../../action/action.ts';
import type { IsolateNamespaceInput, IsolateNamespaceOutput } from './isolate-namespace.schema.ts';

/** Cuts a whole namespace off with its own deny-all policy, with the exceptions that the input names. */
export const isolateNamespace = declareAction<IsolateNamespaceInput, IsolateNamespaceOutput>()({
  name: 'isolateNamespace',
  title: 'Isolate the namespace',
  words: { undo: 'release namespace', held: 'isolated', ended: 'has its network back' },
  effect: 'reversible',
  reach: 'namespace',
  pool: 'cell',
  contains: true,
  outcomes: { done: 'NamespaceIsolated', undone: 'NamespaceReleased' },
  requires: [],
  timeouts: { planMs: 5_000, applyMs: 10_000, verifyMs: 10_000 },
  rights: [
    { apiGroup: '', resource: 'namespaces', verbs: ['get'] },
    { apiGroup: '', resource: 'pods', verbs: ['list'] },
    { apiGroup: '', resource: 'services', verbs: ['list'] },
    { apiGroup: 'networking.k8s.io', resource: 'networkpolicies', verbs: ['get', 'list', 'create', 'delete'] },
  ],
  verifiedBy:
    'The policy is read back; it is `partial` while other policies of the namespace allow anything, or a pod of it uses the network of its node. Whether traffic is really refused needs a probe: without one it is `unverified`.',
  undo: 'Deletes the policy, if nobody has changed it since.',
  example: { namespace: 'shop', allow: { dns: true, namespaces: ['monitoring'] } },
});
