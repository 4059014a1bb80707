import type { Framework } from '../framework.ts';

export const pciDss: Framework = {
  id: 'pci-dss',
  name: 'PCI DSS 4.0.1, requirements 10 and 12.10',
  source: 'PCI Security Standards Council, PCI DSS v4.0.1 (June 2024); titles in our words: https://www.pcisecuritystandards.org',
  notListed:
    '10.1, the parts of 10.2.1 one by one, 10.3.1, 10.4.1 to 10.4.3 except 10.4.1.1, 10.6.2, 10.6.3, 10.7.1, 10.7.3, 12.10.2, 12.10.4 and 12.10.7.',
  requirements: [
    {
      id: '10.2.1',
      asks: 'Audit logs are active and record what is needed',
      measures: ['incidents-opened', 'strangers'],
      shown: 'Records of everything that Firebreak does, including what it refused.',
      notShown: 'Logs of systems in scope.',
    },
    {
      id: '10.2.2',
      asks: 'Logs contain user, kind, time, result, origin and object',
      measures: ['votes-accepted'],
      shown: 'Actor, kind, time, result, chain and target are in each record.',
      notShown: 'Logs of other systems.',
    },
    {
      id: '10.3.2',
      asks: 'Logs are protected from changes',
      measures: [],
      shown:
        'Signatures and chains; on PostgreSQL, users without the right to change or delete, where `firebreak database rights` was carried out.',
      notShown: 'The database’s machine.',
    },
    {
      id: '10.3.3',
      asks: 'Logs are backed up promptly where they are hard to change',
      measures: [],
      shown: 'Checkpoints go into a transparency log; streams send records on, where they are configured.',
      notShown: 'That your log or SIEM is separate.',
    },
    {
      id: '10.3.4',
      asks: 'Changes to logs are detected',
      measures: [],
      shown: '`firebreak audit verify` names the first bad record.',
      notShown: 'That it is run: put it on a schedule.',
    },
    {
      id: '10.4.1.1',
      asks: 'Logs are reviewed by automatic means',
      measures: ['incidents-opened', 'playbooks-run'],
      shown: 'Playbooks answer each alert that they match.',
      notShown: 'Logs that are not alerts.',
    },
    {
      id: '10.5.1',
      asks: 'Logs are kept for twelve months',
      measures: ['records-cut'],
      shown:
        'Records are kept forever, unless `audit.retention` is shorter. `firebreak audit verify` reports what was cut, and whether it was too early.',
      notShown: 'How long your configuration keeps them, and your backups.',
    },
    {
      id: '10.6.1',
      asks: 'Clocks are synchronised',
      measures: [],
      shown: '`firebreak doctor` compares clocks.',
      notShown: 'Clocks of other systems. No record counts this.',
    },
    {
      id: '10.7.2',
      asks: 'Failures of critical controls are detected and answered',
      measures: ['incidents-opened', 'pages'],
      shown: 'A silent sensor is an incident.',
      notShown: 'Failures of other controls.',
    },
    {
      id: '12.10.1',
      asks: 'A response plan exists and is ready',
      measures: ['playbooks-run', 'promotions'],
      shown: 'Playbooks, with signed versions.',
      notShown: 'The rest of the plan: roles, contacts, legal duties.',
    },
    {
      id: '12.10.3',
      asks: 'People are available at any time',
      measures: ['pages', 'questions-silent', 'time-to-decide'],
      shown: 'How fast people answered, and where nobody did.',
      notShown: 'The roster outside the period.',
    },
    {
      id: '12.10.5',
      asks: 'Alerts of security systems are monitored and answered',
      measures: ['incidents-opened', 'incidents-closed', 'time-to-contain', 'time-to-decide'],
      shown: 'From alert to containment and decision, with times.',
      notShown: 'Alerts that go elsewhere.',
    },
    {
      id: '12.10.6',
      asks: 'The plan is updated with what was learnt',
      measures: ['promotions'],
      shown: 'Versions of playbooks that were promoted, by whom.',
      notShown: 'Why they were changed.',
    },
  ],
};
