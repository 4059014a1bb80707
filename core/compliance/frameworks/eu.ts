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
      measures: ['notifications-due', 'notifications-sent', 'notifications-called'],
      shown:
        'People decide what has to be notified; its deadlines run, and people are called. Draft: `firebreak report notification --regime nis2 --stage early-warning`.',
      notShown: 'Whether an incident is significant, and that the authority has it: people put on record what they sent.',
    },
    {
      id: '23(4)(b)',
      asks: 'Notification within 72 hours',
      measures: ['notifications-sent', 'notifications-called', 'time-to-contain'],
      shown: 'Draft: `--stage notification`.',
      notShown: 'Severity and impact on your service, and that the authority has it.',
    },
    {
      id: '23(4)(d)',
      asks: 'Final report within one month of the notification',
      measures: ['notifications-sent', 'incidents-closed', 'containments', 'evidence-kept'],
      shown: 'Draft: `--stage final`.',
      notShown: 'Root cause, cross-border impact, and that the authority has it.',
    },
  ],
};

export const cra: Framework = {
  id: 'cra',
  name: 'EU Cyber Resilience Act, Article 14',
  source: 'Regulation (EU) 2024/2847: https://eur-lex.europa.eu/eli/reg/2024/2847/oj',
  requirements: [
    {
      id: '14(2)(a)',
      asks: 'Early warning of an actively exploited vulnerability within 24 hours',
      measures: ['notifications-due', 'notifications-sent', 'notifications-called'],
      shown:
        'People decide what has to be notified; its deadlines run, and people are called. Draft: `firebreak report notification --regime cra-vulnerability --stage early-warning`.',
      notShown:
        'That a vulnerability of your product was exploited, and that the authority has it: people put on record what they sent.',
    },
    {
      id: '14(2)(b)',
      asks: 'Notification within 72 hours',
      measures: ['notifications-sent', 'time-to-contain'],
      shown: 'Draft: `--stage notification`.',
      notShown: 'The product, the vulnerability, the corrective measure.',
    },
    {
      id: '14(2)(c)',
      asks: 'Final report at most 14 days after a corrective measure is available',
      measures: ['notifications-sent'],
      shown: 'Draft: `--stage final`. From when on a measure was available, people put on record.',
      notShown: 'The corrective measure.',
    },
    {
      id: '14(4)',
      asks: 'The same for severe incidents that touch the security of the product: 24 hours, 72 hours, one month',
      measures: ['notifications-due', 'notifications-sent', 'containments'],
      shown: 'The same drafts, with `--regime cra-incident`.',
      notShown: 'Whether an incident is severe in this sense.',
    },
  ],
};
