import type { Framework } from '../framework.ts';

export const nis2: Framework = {
  id: 'nis2',
  name: 'NIS2, Articles 21 and 23',
  source: 'Directive (EU) 2022/2555: https://eur-lex.europa.eu/eli/dir/2022/2555/oj',
  requirements: [
    {
      id: '21(2)(b)',
      asks: 'Incident handling',
      measures: ['incidents-opened', 'incidents-closed', 'containments', 'time-to-contain', 'containments-proven', 'releases'],
      shown: 'Handled by playbooks, with times.',
      notShown: 'Policies of the organisation.',
    },
    {
      id: '23(4)(a)',
      asks: 'Early warning within 24 hours of becoming aware of a significant incident',
      measures: ['incidents-opened', 'pages'],
      shown: 'Draft: `firebreak report notification --regime nis2 --stage early-warning`.',
      notShown: 'Whether an incident is significant, and that it was sent.',
    },
    {
      id: '23(4)(b)',
      asks: 'Notification within 72 hours',
      measures: ['incidents-opened', 'time-to-contain'],
      shown: 'Draft: `--stage notification`.',
      notShown: 'Severity and impact on your service, and that it was sent.',
    },
    {
      id: '23(4)(d)',
      asks: 'Final report within one month of the notification',
      measures: ['incidents-closed', 'containments', 'evidence-kept'],
      shown: 'Draft: `--stage final`.',
      notShown: 'Root cause, cross-border impact, and that it was sent.',
    },
  ],
};
