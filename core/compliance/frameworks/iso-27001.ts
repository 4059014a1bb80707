import type { Framework } from '../framework.ts';

export const iso27001: Framework = {
  id: 'iso-27001',
  name: 'ISO/IEC 27001:2022, A.5.24 to A.5.28',
  source: 'ISO/IEC 27001:2022, Annex A, with ISO/IEC 27002:2022; titles in our words: https://www.iso.org/standard/27001',
  notListed: 'All other controls of Annex A. Nothing is left out of these five.',
  requirements: [
    {
      id: 'A.5.24',
      asks: 'Incident management is planned and prepared',
      measures: ['playbooks-run', 'promotions'],
      shown:
        'Playbooks, rosters and schedules are files. Each incident names the configuration by SHA-256, and each run of a playbook its build.',
      notShown: 'The management process.',
    },
    {
      id: 'A.5.25',
      asks: 'Events are assessed to decide whether they are incidents',
      measures: ['incidents-opened', 'incidents-closed', 'alerts-hidden'],
      shown: 'Envelopes decide by criteria, and people give the verdict.',
      notShown: 'Events that are not alerts.',
    },
    {
      id: 'A.5.26',
      asks: 'Incidents are answered as documented',
      measures: [
        'playbooks-run',
        'playbooks-failed',
        'containments',
        'time-to-contain',
        'containments-proven',
        'releases',
        'questions-asked',
        'questions-decided',
        'questions-silent',
        'time-to-decide',
        'votes-accepted',
      ],
      shown: 'Each step, question and vote is a signed record.',
      notShown: 'Work outside Firebreak.',
    },
    {
      id: 'A.5.27',
      asks: 'What is learnt from incidents improves the controls',
      measures: ['promotions', 'suppressions'],
      shown: '`firebreak tune` and backtests show what would have changed.',
      notShown: 'Reviews that people held.',
    },
    {
      id: 'A.5.28',
      asks: 'Evidence is identified, collected, acquired and preserved',
      measures: ['evidence-kept', 'evidence-read', 'evidence-destroyed', 'exports'],
      shown: 'Hashes, signed manifests, access on record with its reason, retention.',
      notShown: 'Evidence of other systems.',
    },
  ],
};
