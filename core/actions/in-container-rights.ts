import type { Right } from '../action.ts';

/** What every action needs that looks into a container with our own tools. Clusters before 1.35 do not ask for both verbs of `pods/exec`. */
export const inContainerRights: readonly Right[] = [
  { apiGroup: '', resource: 'pods', verbs: ['get'] },
  { apiGroup: '', resource: 'pods/ephemeralcontainers', verbs: ['patch'] },
  { apiGroup: '', resource: 'pods/exec', verbs: ['get', 'create'] },
];
