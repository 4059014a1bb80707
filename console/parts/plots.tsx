import type { ConsoleOverview } from '../../core/console/console.schema.ts';
import { dayText, tookText } from '../time.ts';
import { countText } from '../words.ts';
import { Sheet } from './common.tsx';

type Day = ConsoleOverview['history'][number];

const [width, height, gap] = [600, 80, 4];
const floor = height - 1;

/** The last few days. Purely visual; a table says the same. */
export function History({ history }: { readonly history: ConsoleOverview['history'] }) {
  const none = history.every(({ incidents, questions }) => incidents + questions === 0) ? 'Nothing has happened.' : undefined;
  return (
    <Sheet title="By day" none={none}>
      <div class="plots">
        <Plot title="Incidents" history={history} dayValue={({ incidents }) => incidents} textOf={String} />
        <Plot title="Time to contain, median" history={history} dayValue={({ toContain }) => toContain} textOf={tookText} />
        <Plot title="Questions" history={history} dayValue={({ questions }) => questions} textOf={String} />
        <Plot title="Time to decide, median" history={history} dayValue={({ toDecide }) => toDecide} textOf={tookText} />
      </div>
      <details>
        <summary>As a table</summary>
        {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reached by the keyboard */}
        <section class="scroll" tabIndex={0} aria-label="By day, table">
          <table>
            <thead>
              <tr>
                <th scope="col">Day (UTC)</th>
                {['Incidents', 'Time to contain', 'Questions', 'Time to decide'].map((text) => (
                  <th key={text} scope="col" class="number">
                    {text}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {history.toReversed().map(({ day, incidents, questions, toContain, toDecide }) => (
                <tr key={day}>
                  <th scope="row">{dayText(day)}</th>
                  <td class="number">{incidents}</td>
                  <td class="number">{toContain === null ? '–' : tookText(toContain)}</td>
                  <td class="number">{questions}</td>
                  <td class="number">{toDecide === null ? '–' : tookText(toDecide)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </section>
      </details>
    </Sheet>
  );
}

/** One bar per day, from zero up to the largest, which is labelled. */
function Plot({
  title,
  history,
  dayValue,
  textOf,
}: {
  readonly title: string;
  readonly history: readonly Day[];
  readonly dayValue: (day: Day) => number | null;
  readonly textOf: (value: number) => string;
}) {
  const values = history.map(dayValue);
  const most = Math.max(0, ...values.filter((value) => value !== null));
  const [first, last] = [history[0], history.at(-1)];
  const each = width / Math.max(1, history.length);
  return (
    <figure>
      <figcaption class="line">
        <span>{title}</span>
        <span class="soft small number">{most === 0 ? 'none' : `at most ${textOf(most)}`}</span>
      </figcaption>
      <svg class="plot" viewBox={`0 0 ${width} ${height}`} aria-hidden="true">
        <line x1="0" x2={width} y1={floor} y2={floor} />
        {history.map((one, index) => {
          const value = dayValue(one);
          if (value === null || value === 0) return null;
          const tall = Math.max(2, (value / most) * (floor - 4));
          return (
            <rect key={one.day} x={index * each + gap / 2} y={floor - tall} width={each - gap} height={tall} rx="2">
              <title>
                {dayText(one.day)}: {textOf(value)}
              </title>
            </rect>
          );
        })}
      </svg>
      <p class="line soft small number" aria-hidden="true">
        <span>{first && dayText(first.day)}</span>
        <span>{last && dayText(last.day)}</span>
      </p>
    </figure>
  );
}

/** A share of the maximum, for a table cell. The number is shown next to it. */
export function Share({ of, most, unit }: { readonly of: number; readonly most: number; readonly unit: string }) {
  return <meter min={0} max={Math.max(1, most)} value={of} aria-label={countText(of, unit)} />;
}
