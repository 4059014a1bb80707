import type { Framework } from '../framework.ts';

export const cra: Framework = {
  id: 'cra',
  name: 'EU Cyber Resilience Act, Article 14',
  source: 'Regulation (EU) 2024/2847: https://eur-lex.europa.eu/eli/reg/2024/2847/oj',
  requirements: [
    {
      id: '14(2)(a)',
      asks: 'Early warning of an actively exploited vulnerability within 24 hours',
      measures: ['incidents-opened', 'pages'],
      shown: 'Draft: `firebreak report notification --regime cra --stage early-warning`.',
      notShown: 'That a vulnerability of your product was exploited, and that it was sent.',
    },
    {
      id: '14(2)(b)',
      asks: 'Notification within 72 hours',
      measures: ['incidents-opened', 'time-to-contain'],
      shown: 'Draft: `--stage notification`.',
      notShown: 'The product, the vulnerability, the corrective measure.',
    },
    {
      id: '14(2)(c)',
      asks: 'Final report at most 14 days after a corrective measure is available',
      measures: ['incidents-closed'],
      shown: 'Draft: `--stage final`.',
      notShown: 'The corrective measure.',
    },
    {
      id: '14(4)',
      asks: 'The same for severe incidents that touch the security of the product: 24 hours, 72 hours, one month',
      measures: ['incidents-opened', 'containments'],
      shown: 'The same drafts.',
      notShown: 'Whether an incident is severe in this sense.',
    },
  ],
};
