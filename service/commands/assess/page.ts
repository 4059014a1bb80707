import { htmlEscaped } from '../../../core/text/html.ts';
import { visibleLine } from '../../../core/text/visible-text.ts';
import { ruleProposal, workloadProposal } from './proposals.ts';
import type { Noisy, ProfileSummary, Summary } from './summary.ts';

/** All texts of a log may be an attacker's. */
const safe = (text: string): string => htmlEscaped(visibleLine(text));
const mostRows = 200;

/** A page that needs nothing else: no script, no address, one chart. */
export function assessPage(summary: Summary, chosen: readonly ProfileSummary[], broken: number): string {
  const main = chosen.find(({ profile }) => profile === 'balanced') ?? chosen[0];
  return `<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>What Firebreak would have done</title>
<style>
body{font:16px/1.5 system-ui,sans-serif;max-width:64rem;margin:2rem auto;padding:0 1rem;color:#1b1f24;background:#fff}
table{border-collapse:collapse;display:block;overflow-x:auto}th,td{border-bottom:1px solid #d0d7de;padding:.3rem .6rem;text-align:left;vertical-align:top}
pre{background:#f3f4f6;padding:.6rem;overflow-x:auto;margin:.2rem 0}svg{max-width:100%;height:auto}
@media(prefers-color-scheme:dark){body{color:#e6edf3;background:#0d1117}pre{background:#161b22}th,td{border-color:#30363d}svg text{fill:#e6edf3}}
</style>
<h1>What Firebreak would have done</h1>
<p>${summary.alerts} alerts, ${spanOf(summary)}. ${broken === 0 ? 'Every line was read.' : `${broken} lines could not be read.`}</p>
${profilesTable(chosen)}
${main ? `<h2>By hour of the day (UTC), ${main.profile}</h2>\n${chart(main)}` : ''}
${
  main
    ? `<h2>Where a live cell would differ</h2><ul>${summary
        .liveDifferences(main.profile)
        .map((one) => `<li>${safe(one)}</li>`)
        .join('')}</ul>`
    : ''
}
${chosen.map(decisionsOf).join('\n')}
<h2>Noisiest rules</h2>${noisyTable(summary.rules, ruleProposal)}
<h2>Noisiest workloads</h2>${noisyTable(summary.workloads, workloadProposal)}
</html>
`;
}

export function spanOf({ alerts, fromMs, toMs }: Summary): string {
  if (alerts === 0) return 'no time';
  const text = (at: number): string => new Date(at).toISOString().slice(0, 16).replace('T', ' ');
  return `${text(fromMs)} to ${text(toMs)} UTC`;
}

function profilesTable(chosen: readonly ProfileSummary[]): string {
  const rows: readonly (readonly [string, (one: ProfileSummary) => number])[] = [
    ['pods cut off', ({ decisions }) => decisions.contain],
    ['questions', ({ decisions }) => decisions.ask],
    ['questions in the worst 8 hours', ({ questionsInWorst8Hours }) => questionsInWorst8Hours],
    ['pages', ({ pages }) => pages],
    ['pages at night (22:00 to 6:00 UTC)', ({ pagesAtNight }) => pagesAtNight],
    ['filed', ({ decisions }) => decisions.file],
    ['only recorded', ({ decisions }) => decisions.watch],
  ];
  const head = chosen.map(({ profile }) => `<th>${profile}</th>`).join('');
  const body = rows
    .map(([name, of]) => `<tr><th>${name}</th>${chosen.map((one) => `<td>${of(one)}</td>`).join('')}</tr>`)
    .join('\n');
  return `<table><tr><th></th>${head}</tr>\n${body}</table>`;
}

function chart({ byHour }: ProfileSummary): string {
  const highest = Math.max(1, ...byHour.map(({ contain, ask }) => contain + ask));
  const bars = byHour.map(({ contain, ask, pages }, hour) => {
    const [x, cut, asked] = [30 + hour * 28, (contain / highest) * 140, (ask / highest) * 140];
    return `<g><title>${hour}:00: ${contain} cut off, ${ask} asked, ${pages} paged</title><rect x="${x}" y="${160 - cut}" width="20" height="${cut}" fill="#c93c37"/><rect x="${x}" y="${160 - cut - asked}" width="20" height="${asked}" fill="#d4a72c"/><text x="${x + 10}" y="176" font-size="11" text-anchor="middle">${hour}</text></g>`;
  });
  return `<svg viewBox="0 0 710 190" width="710" role="img" aria-label="Pods cut off and questions by hour"><text x="2" y="24" font-size="11">${highest}</text>${bars.join('')}</svg><p>Red: pods cut off. Yellow: questions.</p>`;
}

function decisionsOf({ profile, contained, asked }: ProfileSummary): string {
  const all = [...contained, ...asked].toSorted((one, other) => (one.at < other.at ? -1 : 1));
  if (all.length === 0) return `<h2>${profile}: nothing cut off, nobody asked</h2>`;
  const rows = all
    .slice(0, mostRows)
    .map(
      ({ at, namespace, pod, response, pages, rule, reasons }) =>
        `<tr><td>${safe(at.slice(0, 19).replace('T', ' '))}</td><td>${response === 'contain' ? 'cut off' : pages ? 'asked, paged' : 'asked'}</td><td>${safe(pod === null ? 'no pod' : `${namespace ?? ''}/${pod}`)}</td><td>${safe(rule)}</td><td>${safe(reasons.join('; '))}</td></tr>`,
    );
  const more = all.length > mostRows ? `<p>${all.length - mostRows} more: see --json.</p>` : '';
  return `<h2>${profile}: cut off and asked</h2><table><tr><th>UTC</th><th>what</th><th>pod</th><th>rule</th><th>why</th></tr>${rows.join('\n')}</table>${more}`;
}

function noisyTable(all: readonly Noisy[], propose: typeof ruleProposal): string {
  const rows = all.map((one) => {
    const { where, text } = propose(one);
    return `<tr><td>${one.alerts}</td><td>${safe(one.name)}</td><td>${safe(where)}<pre>${text.split('\n').map(safe).join('\n')}</pre></td></tr>`;
  });
  return `<table><tr><th>alerts</th><th>name</th><th>what would silence it</th></tr>${rows.join('\n')}</table>`;
}
