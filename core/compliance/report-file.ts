import { basisTexts, type ComplianceReport, valueText, withoutDesksText } from './compliance-report.ts';
import { reportOscal } from './oscal.ts';
import { reportCsv, reportHtml } from './report-text.ts';

export const reportFormats = ['html', 'csv', 'json', 'oscal'] as const;
export type ReportFormat = (typeof reportFormats)[number];

/** The format of a report, and how such a file is named and sent. */
export interface ReportFile {
  readonly text: string;
  readonly extension: string;
  readonly mediaType: string;
}

/** @param newUuid for OSCAL, which needs an id for each part */
export function reportFile(report: ComplianceReport, format: ReportFormat, newUuid: () => string): ReportFile {
  switch (format) {
    case 'html':
      return { text: reportHtml(report), extension: 'html', mediaType: 'text/html; charset=utf-8' };
    case 'csv':
      return { text: reportCsv(report), extension: 'csv', mediaType: 'text/csv; charset=utf-8' };
    case 'json':
      return { text: `${JSON.stringify(report)}\n`, extension: 'json', mediaType: 'application/json' };
    case 'oscal':
      return {
        text: `${JSON.stringify(reportOscal(report, newUuid), null, 2)}\n`,
        extension: 'oscal.json',
        mediaType: 'application/json',
      };
  }
}

/** Returns the report in a few lines without formatting, for a message: how much is shown, and each number. */
export function reportSummary(report: ComplianceReport, period: string): string {
  const { framework, clusters, records, requirements, measures } = report;
  const shown = requirements.filter(({ basis }) => basis === 'numbers').length;
  const leftOut = records.leftOut === 0 ? [] : [`${records.leftOut} rows are not proven and were left out.`];
  return [
    `${framework.name}, ${period}`,
    `${clusters.length === 1 ? 'Cluster' : 'Clusters'}: ${clusters.join(', ') || 'none'}. Records counted: ${records.counted}.${withoutDesksText(report)}`,
    ...leftOut,
    `Requirements with ${basisTexts.numbers}: ${shown} of ${requirements.length}.`,
    '',
    ...measures.map((measure) => `${measure.title}: ${valueText(measure)}`),
    '',
    'An assessor decides whether a requirement is met.',
  ].join('\n');
}
