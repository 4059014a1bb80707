/** Creates the picture of a report in `docs/images`, with invented records. */
import { join } from 'node:path';
import { complianceReport } from '../../core/compliance/compliance-report.ts';
import { cisKubernetes } from '../../core/compliance/frameworks/cis-kubernetes.ts';
import { Measures } from '../../core/compliance/measures.ts';
import { reportHtml } from '../../core/compliance/report-text.ts';
import { recordsOfIncidents } from '../service/records/compliance-records.ts';
import { imagesFolder, withBrowser } from './pictures.ts';

const since = '2026-07-01T00:00:00.000Z';
const records = recordsOfIncidents(700, Date.parse(since));
const measures = new Measures();
for (const record of records) measures.add(record);
const html = reportHtml(
  complianceReport({
    ...{ framework: cisKubernetes, clusters: ['prod-eu'], measures: measures.all(), since },
    records: { counted: records.length, leftOut: 0 },
    until: '2026-10-01T00:00:00.000Z',
    madeAt: '2026-10-01T01:00:00.000Z',
    program: 'firebreak',
  }),
);
await withBrowser(async (browser) => {
  const page = await browser.newPage({ viewport: { width: 860, height: 1_450 } });
  await page.setContent(html);
  await page.screenshot({ path: join(imagesFolder, 'compliance-report.png') });
});
