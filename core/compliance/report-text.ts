import { htmlEscaped } from '../text/html.ts';
import { visibleLine } from '../text/visible-text.ts';
import {
  basisTexts,
  type ComplianceReport,
  partsText,
  type ShownRequirement,
  valueText,
  withoutDesksText,
} from './compliance-report.ts';
import { isTrend, type Measure, mostRefs, type TrendId } from './measures.ts';
import { daysText } from './period.ts';

/** Returns one line for each measure of each requirement, for a spreadsheet (RFC 4180). */
export function reportCsv({ framework, since, until, requirements, measures }: ComplianceReport): string {
  const byId = new Map(measures.map((measure) => [measure.id, measure]));
  const head = [
    'framework',
    'requirement',
    'asks',
    'basis',
    'measure',
    'unit',
    'value',
    'parts',
    'records',
    'since',
    'until',
    'not shown',
  ];
  const rows = requirements.flatMap((one) =>
    (one.measures.length === 0 ? [undefined] : one.measures.map((id) => byId.get(id))).map((measure) => [
      framework.name,
      one.id,
      one.asks,
      basisTexts[one.basis],
      measure?.title ?? '',
      measure?.unit ?? '',
      measure?.value === null || measure === undefined ? '' : String(measure.value),
      measure ? partsText(measure) : '',
      measure ? measure.records.map(({ chain, number }) => `${chain}#${number}`).join(' ') : '',
      since,
      until,
      one.notShown,
    ]),
  );
  const others = [framework.name, 'others', framework.notListed, 'not in this report', '', '', '', '', '', since, until, ''];
  return [head, ...rows, others].map((row) => `${row.map(cell).join(',')}\r\n`).join('');
}

/** Neutralises text that a spreadsheet would run as a formula: a workload or a rule may have such a name. */
function cell(value: string): string {
  const text = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** Returns one page that prints well, without scripts. */
export function reportHtml(report: ComplianceReport): string {
  const { framework, clusters, madeAt, program, records, requirements, measures } = report;
  const byId = new Map(measures.map((measure) => [measure.id, measure]));
  const shown = requirements.filter(({ basis }) => basis === 'numbers').length;
  const title = `${framework.name}: what the records show`;
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta http-equiv="content-security-policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>${escaped(title)}</title><style>${style}${footer(title, daysText(report))}</style></head><body>
<header><h1>${escaped(title)}</h1>
<p>${clusters.length === 1 ? 'Cluster' : 'Clusters'} ${escaped(clusters.join(', ') || 'none')}, ${escaped(daysText(report))} (UTC). Made ${escaped(madeAt)} by ${escaped(program)}.${escaped(withoutDesksText(report))}</p>
<p>By ${escaped(framework.source)}.</p>
<p>Not in this report: ${escaped(framework.notListed)}</p>
<p class="sum">${shown} of ${requirements.length} requirements have numbers in this period. ${records.counted} records were counted${records.leftOut > 0 ? `; <strong>${records.leftOut} not proven and left out</strong>: run <code>firebreak audit verify</code>` : '; each is signed by the cell or desk that made it'}.</p>
<p>This report shows what Firebreak has recorded. An assessor decides whether a requirement is met; <code>firebreak audit verify</code> reports whether a record is missing.</p></header>
<main><h2>Requirements</h2>
${requirements.map((one) => requirementHtml(one, byId)).join('\n')}
<h2 class="apart">Where the numbers come from</h2>
<p>Each number is counted from records. The first ${mostRefs} are listed by chain and number; of numbers over time, the first ones of each period. <code>firebreak incidents show</code> and <code>firebreak audit verify</code> show and prove them.</p>
${measures.flatMap(sourceHtml).join('\n')}
${uncountedHtml(measures)}</main></body></html>
`;
}

function requirementHtml(one: ShownRequirement, measures: ReadonlyMap<string, Measure>): string {
  const rows = one.measures.flatMap((id) => {
    const measure = measures.get(id);
    if (!measure) return [];
    // Trends are in a table of their own.
    const parts = isTrend(id) ? '' : partsText(measure);
    return [
      `<tr><td><a href="#${measure.id}">${escaped(measure.title)}</a></td><td>${escaped(valueText(measure))}${parts === '' ? '' : `<br><small>${escaped(parts)}</small>`}</td></tr>`,
    ];
  });
  return `<section><h3>${escaped(one.id)} <span class="${one.basis}">${basisTexts[one.basis]}</span></h3>
<p>${escaped(one.asks)}.</p>${one.shown === undefined ? '' : `<p>${coded(one.shown)}</p>`}${rows.length > 0 ? `<table><tbody>${rows.join('')}</tbody></table>` : ''}${trendHtml(one.measures.flatMap((id) => measures.get(id) ?? []))}
<p class="not">Not shown here: ${coded(one.notShown)}</p></section>`;
}

/** Maximum number of time columns that fit on paper. */
const mostTimes = 12;

/**
 * Returns the findings over time: a row for each finding, with the number of workloads that had it in each month or week, and at how many it was new or gone.
 */
function trendHtml(measures: readonly Measure[]): string {
  const trends = measures.filter(({ id }) => isTrend(id));
  const cells = new Set(trends.flatMap(({ parts }) => Object.keys(parts)));
  if (cells.size === 0) return '';
  const split = [...cells].map((part) => part.split(' ', 2));
  const all = [...new Set(split.map(([time = '']) => time))].sort();
  const times = all.slice(-mostTimes);
  const findings = [...new Set(split.map(([, finding = '']) => finding))].sort();
  const of = (id: TrendId, part: string, sign: string): string => {
    const count = trends.find((one) => one.id === id)?.parts[part] ?? 0;
    return count === 0 ? '' : `<a href="#${id}">${sign}${count}</a>`;
  };
  const rows = findings.map((finding) => {
    const counts = times.map((time) => {
      const part = `${time} ${finding}`;
      return `<td>${of('posture-trend', part, '') || '0'} <small>${of('posture-opened', part, '+')} ${of('posture-gone', part, '−')}</small></td>`;
    });
    return `<tr><th scope="row">${escaped(finding)}</th>${counts.join('')}</tr>`;
  });
  const left = all.length > times.length ? ` The last ${times.length} of ${all.length} are shown; JSON and CSV have all.` : '';
  const heads = times.map((time) => `<th scope="col">${escaped(time)}</th>`);
  return `<p>Findings over time: the looks that had each one; + those where it was new since the previous look, − those where it was gone.${left}</p>
<table class="trend"><thead><tr><th></th>${heads.join('')}</tr></thead><tbody>${rows.join('')}</tbody></table>`;
}

/** Returns a number with its records; records of a chain are grouped, since its name is long. */
function sourceHtml(measure: Measure): string | readonly [] {
  const { id, title, records, partRecords, parts, counted } = measure;
  if (counted === 0) return [];
  const items = partRecords
    ? Object.entries(partRecords).map(([part, refs]) => {
        const more = (parts[part] ?? 0) - refs.length;
        return `<li><i>${escaped(part)}</i>: ${refsOf(refs).join(', ')}${more > 0 ? ` and ${more} more` : ''}</li>`;
      })
    : [
        ...refsOf(records).map((ref) => `<li>${ref}</li>`),
        ...(counted > records.length ? [`<li>and ${counted - records.length} more</li>`] : []),
      ];
  return `<section id="${id}"><h3>${escaped(title)}: ${escaped(valueText(measure))}</h3><ul class="refs">${items.join('')}</ul></section>`;
}

function refsOf(records: Measure['records']): readonly string[] {
  return [...Map.groupBy(records, ({ chain }) => chain)].map(
    ([chain, ofChain]) => `${escaped(chain)} ${ofChain.map(({ number }) => `#${number}`).join(' ')}`,
  );
}

function uncountedHtml(measures: readonly Measure[]): string {
  const none = measures.filter(({ counted }) => counted === 0);
  if (none.length === 0) return '';
  const items = none.map(({ id, title }) => `<li id="${id}">${escaped(title)}</li>`).join('');
  return `<section><h3>No records of these in this period</h3><ul>${items}</ul></section>`;
}

/** On each printed page: the title and the page number. */
function footer(title: string, days: string): string {
  const text = `${title}, ${days}`;
  return `\n@page{size:A4;margin:16mm 15mm 18mm;@bottom-left{content:"${cssText(text)}";font:9px system-ui,sans-serif;color:#555}@bottom-right{content:counter(page) " / " counter(pages);font:9px system-ui,sans-serif;color:#555}}`;
}

/** Escapes text for a CSS string: everything but plain letters becomes its code point. */
function cssText(text: string): string {
  return text.replace(/[^A-Za-z0-9 .,:-]/gu, (sign) => `\\${(sign.codePointAt(0) ?? 0).toString(16)} `);
}

/** Formats our own words, with code in backticks. Nothing in them breaks at a hyphen: `--regime` is one word. */
function coded(text: string): string {
  return escaped(text).replace(
    /`([^`]+)`/g,
    (_, code: string) => `<code>${code.replace(/[^ ]*-[^ ]*/g, '<span class="word">$&</span>')}</code>`,
  );
}

function escaped(text: string): string {
  return htmlEscaped(visibleLine(text));
}

const style = `
:root{color-scheme:light dark;font:15px/1.5 system-ui,sans-serif}
body{max-width:54rem;margin:2rem auto;padding:0 1rem;overflow-wrap:anywhere}
h1{font-size:1.6rem;line-height:1.2}h2{margin-top:2.5rem}h3{margin:0 0 .3rem}
section{border-top:1px solid #8886;padding:1rem 0}
section p{margin:.3rem 0}
h3 span{font-weight:normal;font-size:.8rem;border:1px solid currentColor;border-radius:1rem;padding:.05rem .6rem;margin-left:.5rem}
.numbers{color:#0a7d33}.nothing-happened{color:#6b6b6b}.described,.nothing-proven,.not-looked-at{color:#a15c00}
table{border-collapse:collapse;width:100%;margin:.5rem 0;table-layout:fixed}td{text-align:left;vertical-align:top;padding:.25rem .5rem;border-top:1px solid #8884}
.trend th{font-weight:normal;text-align:left;vertical-align:top;padding:.25rem .3rem;border-top:1px solid #8884}.trend thead th:first-child{width:20%}.trend td{padding:.25rem .3rem}
table:not(.trend) td:first-child{width:55%}td:nth-child(2){font-variant-numeric:tabular-nums}
ul{margin:.3rem 0;padding-left:1.2rem}.refs{font:12px/1.4 ui-monospace,monospace;list-style:none;padding:0}.refs li{padding-left:1.5em;text-indent:-1.5em}.not{opacity:.75}.word{white-space:nowrap}
@media(prefers-color-scheme:dark){.numbers{color:#5bd08a}.nothing-happened{color:#aaa}.described,.nothing-proven,.not-looked-at{color:#f0b060}}
@media print{:root{color-scheme:light;font-size:11px}body{max-width:none;margin:0;padding:0}a{color:inherit;text-decoration:none}
section{padding:.7rem 0}.refs{font-size:8px}h2,h3,h3+p{break-after:avoid}tr,li{break-inside:avoid}p{orphans:3;widows:3}.not{break-before:avoid}.apart{break-before:page;margin-top:0}}`;
