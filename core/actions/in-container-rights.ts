import type { Right } from '../action/action.ts';

/** Our own tools next to a suspect container: what they are, and what admission restricts the account that puts them there to. */
export const tools = {
  namePrefix: 'firebreak-',
  program: '/firebreak-tools',
  /** To read what other users' processes have open, and to end them. */
  capabilities: ['DAC_READ_SEARCH', 'KILL', 'SYS_PTRACE'],
  /** What some actions need in addition: to see packets. */
  moreCapabilities: ['NET_RAW'],
} as const;

/** What every action needs that looks into a container with our own tools. Clusters before 1.35 do not require both verbs of `pods/exec`. */
export const inContainerRights: readonly Right[] = [
  { apiGroup: '', resource: 'pods', verbs: ['get'] },
  { apiGroup: '', resource: 'pods/ephemeralcontainers', verbs: ['patch'] },
  { apiGroup: '', resource: 'pods/exec', verbs: ['get', 'create'] },
];
