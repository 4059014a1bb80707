import type { Framework } from '../framework.ts';

export const nis2: Framework = {
  id: 'nis2',
  name: 'NIS2, Articles 21 and 23',
  source:
    'Directive (EU) 2022/2555: https://eur-lex.europa.eu/eli/dir/2022/2555/oj; for trust service providers, Article 23(4), second subparagraph',
  notListed:
    'The other measures of Article 21; informing recipients (23(1) and (2)); reports on request (23(4)(c)) and on ongoing incidents (23(4)(e)).',
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
      measures: ['nis2-due', 'nis2-early-warning-sent', 'nis2-early-warning-called'],
      shown:
        'People decide what has to be notified; its deadlines run, and people are called. Draft: `firebreak report notification --regime nis2 --stage early-warning`.',
      notShown:
        'Whether each was sent in time: see `firebreak deadlines list --all`. Whether an incident is significant, and whether the authority received it: people record what they sent.',
    },
    {
      id: '23(4)(b)',
      asks: 'Notification within 72 hours; by a trust service provider, within 24 hours (23(4), second subparagraph)',
      measures: ['nis2-notification-sent', 'nis2-notification-called', 'time-to-contain'],
      shown:
        'Draft: `--stage notification`. With `incidents.deadlines.entity: trust-service-provider` its clock runs for 24 hours, and people are called before it ends.',
      notShown:
        'Whether each was sent in time: see `firebreak deadlines list --all`. Severity and impact on your service, and whether the authority received it.',
    },
    {
      id: '23(4)(d)',
      asks: 'Final report within one month of the notification',
      measures: ['nis2-final-sent', 'nis2-final-called', 'incidents-closed', 'containments', 'evidence-kept'],
      shown: 'Draft: `--stage final`.',
      notShown:
        'Whether each was sent in time: see `firebreak deadlines list --all`. Root cause, cross-border impact, and whether the authority received it.',
    },
  ],
};

export const cra: Framework = {
  id: 'cra',
  name: 'EU Cyber Resilience Act, Article 14',
  source: 'Regulation (EU) 2024/2847: https://eur-lex.europa.eu/eli/reg/2024/2847/oj',
  notListed:
    'Reports on request (14(6)) and informing users (14(8)). Whom to notify, and through which platform (14(1), (3) and (7)).',
  requirements: [
    {
      id: '14(2)(a)',
      asks: 'Early warning of an actively exploited vulnerability within 24 hours',
      measures: ['cra-vulnerability-due', 'cra-vulnerability-early-warning-sent', 'cra-vulnerability-early-warning-called'],
      shown:
        'People decide what has to be notified; its deadlines run, and people are called. Draft: `firebreak report notification --regime cra-vulnerability --stage early-warning`.',
      notShown:
        'Whether each was sent in time: see `firebreak deadlines list --all`. That a vulnerability of your product was exploited, and whether the authority received it: people record what they sent.',
    },
    {
      id: '14(2)(b)',
      asks: 'Notification within 72 hours',
      measures: ['cra-vulnerability-notification-sent', 'cra-vulnerability-notification-called', 'time-to-contain'],
      shown: 'Draft: `--stage notification`.',
      notShown:
        'Whether each was sent in time: see `firebreak deadlines list --all`. The product, the vulnerability, the corrective measure.',
    },
    {
      id: '14(2)(c)',
      asks: 'Final report at most 14 days after a corrective measure is available',
      measures: ['cra-vulnerability-final-sent', 'cra-vulnerability-final-called'],
      shown: 'Draft: `--stage final`. People record when a measure became available.',
      notShown: 'Whether each was sent in time: see `firebreak deadlines list --all`. The corrective measure.',
    },
    {
      id: '14(4)(a)',
      asks: 'Early warning within 24 hours of a severe incident that affects the security of the product',
      measures: ['cra-incident-due', 'cra-incident-early-warning-sent', 'cra-incident-early-warning-called', 'containments'],
      shown: 'The same drafts, with `--regime cra-incident`.',
      notShown:
        'Whether each was sent in time: see `firebreak deadlines list --all`. Whether an incident is severe in this sense, and whether the authority received it.',
    },
    {
      id: '14(4)(b)',
      asks: 'Notification within 72 hours',
      measures: ['cra-incident-notification-sent', 'cra-incident-notification-called', 'time-to-contain'],
      shown: 'Draft: `--stage notification`.',
      notShown:
        'Whether each was sent in time: see `firebreak deadlines list --all`. The assessment of the incident, the measures that users can take, and whether the authority received it.',
    },
    {
      id: '14(4)(c)',
      asks: 'Final report within one month of the notification',
      measures: ['cra-incident-final-sent', 'cra-incident-final-called', 'incidents-closed'],
      shown: 'Draft: `--stage final`.',
      notShown:
        'Whether each was sent in time: see `firebreak deadlines list --all`. The root cause, and whether the authority received it.',
    },
  ],
};
