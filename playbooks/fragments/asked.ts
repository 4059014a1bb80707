import type { AskedGroup } from '../../core/playbook/playbook.ts';

/** For what can wait for whoever is at work: nobody is called. */
export const unhurried: readonly AskedGroup[] = [
  { group: 'oncall', within: '30m' },
  { group: 'leads', within: '2h' },
];

/** For what may spread while nobody answers: called at once on critical. */
export const urgent: readonly AskedGroup[] = [
  { group: 'oncall', within: '15m', page: 'critical' },
  { group: 'leads', within: '1h', page: 'critical' },
];
