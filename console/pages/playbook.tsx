import type { ConsoleCoverage, DescribedPlaybook } from '../../core/console/console.schema.ts';
import { basePath } from '../address.ts';
import { useAsked } from '../api.ts';
import { Empty, Fact, Problem, Severity, Sheet, Table, Tag, usePage, Waiting } from '../parts/common.tsx';
import { PlaybookWays } from '../parts/playbook-drawing.tsx';
import { PlaybookRecord } from '../parts/playbook-record.tsx';
import { countText } from '../words.ts';

/** One procedure: what it answers, whom it asks and what it may do, how it has performed, and every way that it can go. */
export function Playbook({ id }: { readonly id: string }) {
  usePage('Playbook');
  const { data, fault, isLoading, again } = useAsked('playbooks', {}, () => false);
  const { data: overview } = useAsked('overview', {}, () => false);
  const { data: coverage } = useAsked('coverage', { query: { playbook: id } }, () => false);
  const playbook = data?.items.find((one) => one.id === id);
  const record = overview?.playbooks.find((one) => one.id === id);
  if (fault && !data) return <Problem fault={fault} again={again} />;
  if (isLoading) return <Waiting what="Loading the playbook" />;
  if (!playbook)
    return (
      <Empty title="Playbook not found">
        <a href={`${basePath}/overview`}>Show the overview</a>
      </Empty>
    );
  return (
    <>
      <div class="head">
        <p class="small">
          <a href={`${basePath}/overview`}>Overview</a>
        </p>
        <h1>{playbook.title}</h1>
        <p class="soft small">
          <code>{playbook.id}</code> {!playbook.enabled && <Tag>Off</Tag>}
        </p>
      </div>
      {overview && record && (
        <Sheet title="Its record" aside={<span class="soft small">last {countText(overview.days, 'day')}</span>}>
          <PlaybookRecord record={record} />
        </Sheet>
      )}
      <Described playbook={playbook} />
      <PlaybookWays id={id} />
      {coverage && <Rules rules={coverage.rules} />}
    </>
  );
}

/** Longer texts are collapsed, for readers who want the details; the resulting rules are listed below. */
const longestShown = 200;

function matchOf(answers: string) {
  if (answers.length <= longestShown) return answers;
  return (
    <details>
      <summary>Alerts matching many conditions</summary>
      <p class="small">{answers}</p>
    </details>
  );
}

function Described({
  playbook: { on, answers, per, levels, contains, evidenceFirst, uses, scheduled },
}: {
  readonly playbook: DescribedPlaybook;
}) {
  return (
    <Sheet title="What it does">
      <dl class="facts">
        {scheduled ? <Fact name="Runs">{scheduled.times}</Fact> : <Fact name="Answers">{matchOf(answers)}</Fact>}
        <Fact name="From">
          <Severity is={on.minSeverity} />
        </Fact>
        <Fact name="Once for each">{per}</Fact>
        <Fact name="Asks">
          {levels === null
            ? 'those who decide on incidents'
            : levels.map(({ group, within }) => `${group}, for ${within}`).join(', then ')}
        </Fact>
        {contains !== null && <Fact name="May contain">The alert’s pod, at once, even before its incident has started</Fact>}
        {evidenceFirst !== null && <Fact name="Evidence first">for {evidenceFirst} at most</Fact>}
      </dl>
      <Table head={['It may', 'Effect', 'Reach']}>
        {uses.map(({ name, title, effect, reach }) => (
          <tr key={name}>
            <th scope="row">{title}</th>
            <td>
              <Tag tone={effect === 'destructive' ? 'bad' : ''}>{effect}</Tag>
            </td>
            <td>{reach}</td>
          </tr>
        ))}
      </Table>
    </Sheet>
  );
}

function Rules({ rules }: { readonly rules: ConsoleCoverage['rules'] }) {
  return (
    <Sheet
      title="Rules it answers"
      aside={<span class="soft small">{countText(rules.length, 'rule')}</span>}
      none={rules.length === 0 ? 'None in the public rule sets.' : undefined}
    >
      <Table head={['Rule', 'Rule set', 'Severity', 'ATT&CK']}>
        {rules.map(({ rule, set, severity, mitre, places }) => (
          <tr key={`${set} ${rule}`}>
            <th scope="row">
              {rule} {places.length > 0 && <span class="soft small">({places.join(', ')} only)</span>}
            </th>
            <td>{set}</td>
            <td>
              <Severity is={severity} />
            </td>
            <td>{mitre.join(', ')}</td>
          </tr>
        ))}
      </Table>
    </Sheet>
  );
}
