import { expect, test } from '@jest/globals';
import { rolloutIn } from '../../../integrations/kubernetes/watch/watch-cache.ts';

const creationTimestamp = '2026-03-01T10:00:00Z';
const revision = { 'deployment.kubernetes.io/revision': '7' };

test('a ReplicaSet gives revision and time of its rollout, only the revision if rolled out again, and nothing without annotations', () => {
  expect(rolloutIn({ creationTimestamp, annotations: revision })).toEqual({ revision: '7', at: creationTimestamp });
  const again = { ...revision, 'deployment.kubernetes.io/revision-history': '2,4' };
  expect(rolloutIn({ creationTimestamp, annotations: again })).toEqual({ revision: '7' });
  expect(rolloutIn({ creationTimestamp })).toBeUndefined();
});
