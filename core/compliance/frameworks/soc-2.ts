import type { Framework } from '../framework.ts';

export const soc2: Framework = {
  id: 'soc-2',
  name: 'SOC 2, common criteria CC7',
  source: 'AICPA Trust Services Criteria 2017 with the points of focus of 2022; titles in our words: https://www.aicpa-cima.com',
  notListed: 'All other criteria. Nothing is left out of these five.',
  requirements: [
    {
      id: 'CC7.1',
      asks: 'Changes and weaknesses are detected and monitored',
      measures: ['containments-changed', 'incidents-opened'],
      shown: 'Drift of containments is detected and reported.',
      notShown: 'Scans for vulnerabilities.',
    },
    {
      id: 'CC7.2',
      asks: 'Anomalies are monitored and analysed',
      measures: ['incidents-opened', 'alerts-joined'],
      shown: 'Alerts with novelty against what a workload usually does.',
      notShown: 'What sensors do not see.',
    },
    {
      id: 'CC7.3',
      asks: 'Events are evaluated for whether they are incidents',
      measures: ['incidents-closed', 'votes-accepted'],
      shown: 'Verdicts by signed votes.',
      notShown: 'Evaluation elsewhere.',
    },
    {
      id: 'CC7.4',
      asks: 'Incidents are answered by a defined programme',
      measures: [
        'playbooks-run',
        'containments',
        'time-to-contain',
        'containments-proven',
        'releases',
        'questions-asked',
        'questions-decided',
        'questions-silent',
        'time-to-decide',
        'votes-accepted',
        'pages',
        'tickets',
      ],
      shown: 'Steps, questions and decisions on record.',
      notShown: 'The programme of the organisation.',
    },
    {
      id: 'CC7.5',
      asks: 'Recovery from incidents',
      measures: ['releases'],
      shown: 'What was contained is restored as it was, or the release is refused and reported.',
      notShown: 'Restoring systems.',
    },
  ],
};
