import type { ComponentChildren } from 'preact';
import type { ConsoleCoverage, ConsoleOverview } from '../../core/console/console.schema.ts';
import { basePath } from '../address.ts';
import { tookText } from '../time.ts';
import { countText, numberText } from '../words.ts';
import { Sheet, Table, Tag } from './common.tsx';

type Ran = ConsoleOverview['playbooks'][number];

/** The outcome of its incidents, in one sentence; and how many of the decided ones were false alarms. */
function cameOf({ runs, verdicts }: Ran): string {
  const { true_positive: attacks = 0, suspicious = 0, benign = 0, unknown = 0 } = verdicts;
  const decided = attacks + suspicious + benign;
  const parts = [
    `${countText(runs, 'run')}: ${countText(attacks, 'attack')}`,
    ...(suspicious > 0 ? [`${numberText(suspicious)} suspicious`] : []),
    `${countText(benign, 'false alarm')}${decided > 0 ? ` (${Math.round((100 * benign) / decided)} % of those decided)` : ''}`,
    ...(unknown > 0 ? [`${numberText(unknown)} not decided yet`] : []),
  ];
  return parts.join(', ');
}

/** Its runs in the last few days, what they found, and how long they took. */
export function PlaybookRecord({ record }: { readonly record: Ran }) {
  const { runs, toContain, toDecide } = record;
  if (runs === 0) return <p class="soft small">No runs.</p>;
  const times = [
    ...(toContain ? [`contained in ${tookText(toContain.p50)}, 9 of 10 within ${tookText(toContain.p90)}`] : []),
    ...(toDecide ? [`decided in ${tookText(toDecide.p50)}, 9 of 10 within ${tookText(toDecide.p90)}`] : []),
  ];
  return (
    <>
      <p class="small">{cameOf(record)}.</p>
      {times.length > 0 && <p class="soft small">Half of them {times.join('; half ')}.</p>}
    </>
  );
}

/** All of them, those with the most runs first; those that have not run are collapsed. */
export function Playbooks({
  overview: { playbooks, days },
  coverage,
}: {
  readonly overview: ConsoleOverview;
  /** Undefined while it is not known which rules they answer. */
  readonly coverage: ConsoleCoverage | undefined;
}) {
  const rulesOf = new Map(coverage?.playbooks.map(({ id, rules }) => [id, rules]));
  const ran = playbooks.filter(({ runs }) => runs > 0).toSorted((a, b) => b.runs - a.runs);
  const idle = playbooks.filter(({ runs }) => runs === 0);
  const row = (record: Ran): ComponentChildren => (
    <li key={record.id}>
      <div class="line">
        <h3>
          <a href={`${basePath}/playbooks/${record.id}`}>{record.title}</a>
        </h3>
        {record.enabled ? coverage && <span class="soft small">{answersText(rulesOf.get(record.id) ?? 0)}</span> : <Tag>Off</Tag>}
      </div>
      {record.runs > 0 && <PlaybookRecord record={record} />}
    </li>
  );
  return (
    <Sheet
      title="Playbooks"
      aside={<span class="soft small">last {countText(days, 'day')}</span>}
      none={playbooks.length === 0 ? 'No playbook is enabled.' : undefined}
    >
      <ul class="rows">{ran.map(row)}</ul>
      {idle.length > 0 && (
        <details>
          <summary>{countText(idle.length, 'playbook')} without a run</summary>
          <ul class="rows">{idle.map(row)}</ul>
        </details>
      )}
    </Sheet>
  );
}

function answersText(rules: number): string {
  return rules === 0 ? 'no public rules' : `answers ${countText(rules, 'public rule')}`;
}

/** Which rules of the public rule sets are answered: unanswered ones start no playbook. */
export function Coverage({ coverage: { sets, unanswered } }: { readonly coverage: ConsoleCoverage }) {
  return (
    <Sheet title="Coverage" aside={<span class="soft small">rules of the public rule sets</span>}>
      <Table head={['Rule set', '#Rules', '#Answered', '#In some places', '#By a catch-all', '#By nothing']}>
        {sets.map(({ title, rules, answered, partly, rest, none }) => (
          <tr key={title}>
            <th scope="row">{title}</th>
            <td class="number">{numberText(rules)}</td>
            <td class="number">{rules === 0 ? '–' : `${Math.floor((100 * answered) / rules)} %`}</td>
            {[partly, rest, none].map((count, index) => (
              <td key={index} class="number">
                {numberText(count)}
              </td>
            ))}
          </tr>
        ))}
      </Table>
      {unanswered.length > 0 && (
        <details>
          <summary>{countText(unanswered.length, 'rule')} that nothing answers</summary>
          <ul class="rows">
            {unanswered.map(({ rule, set, severity }) => (
              <li key={`${set} ${rule}`} class="small">
                {rule} <span class="soft">{`${set}, ${severity}`}</span>
              </li>
            ))}
          </ul>
        </details>
      )}
    </Sheet>
  );
}
