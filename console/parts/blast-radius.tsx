import type { ShownBlastRadius } from '../../core/console/console.schema.ts';
import { kindText, targetText, wholeTargetText } from '../../core/text/plain-text.ts';
import { countText } from '../words.ts';

const states = {
  cut: 'cut off',
  changed: 'changed',
  planned: 'would be changed',
  reaches: 'can be reached',
} as const;

/** Maximum number of objects drawn; the rest is counted. */
const mostDrawn = 12;
const [width, rowHeight, boxHeight, left] = [400, 56, 44, 44];
/** Fits a box's width, at 13 px with about 7 per letter. */
const mostLetters = 44;

const cutTo = (text: string, most: number): string => (text.length <= most ? text : `${text.slice(0, most - 1)}…`);

/**
 * A workload, with a line to each object that a step has touched, would touch, or that can be reached from what is left. Purely visual; the list next to it
 * says the same.
 */
export function BlastRadius({ radius }: { readonly radius: ShownBlastRadius }) {
  const order = Object.keys(states);
  const objects = radius.objects.toSorted((a, b) => order.indexOf(a.state) - order.indexOf(b.state));
  const drawn = objects.slice(0, mostDrawn);
  const height = 52 + drawn.length * rowHeight;
  const capacity =
    radius.pods === null || radius.ready === null ? '' : `${radius.ready} of ${countText(radius.pods, 'pod')} still ready`;
  return (
    <figure>
      <svg class="radius" viewBox={`0 0 ${width} ${height}`} aria-hidden="true">
        <rect x="1" y="1" width={width - 2} height={boxHeight} rx="8" />
        <text x="14" y={capacity === '' ? 28 : 20}>
          {cutTo(radius.workload === null ? 'The target' : wholeTargetText(radius.workload), mostLetters + 5)}
        </text>
        <text class="kind" x="14" y="36">
          {capacity}
        </text>
        {drawn.map((object, index) => (
          <Branch key={object.name} object={object} top={52 + index * rowHeight} />
        ))}
      </svg>
      {objects.length > drawn.length && <p class="soft small">And {objects.length - drawn.length} more.</p>}
      <ul class="unseen">
        {objects.map(({ name, state, by }) => (
          <li key={name}>
            {wholeTargetText(name)}: {states[state]}
            {by.length > 0 && `, by: ${by.join(', ')}`}
          </li>
        ))}
      </ul>
    </figure>
  );
}

function Branch({ object, top }: { readonly object: ShownBlastRadius['objects'][number]; readonly top: number }) {
  const { name, kind, state, by } = object;
  const middle = top + boxHeight / 2;
  const group = state === 'cut' ? 'cut' : state === 'planned' ? 'hit' : '';
  return (
    <g class={group}>
      <path
        d={`M20 ${top - (rowHeight - boxHeight) - boxHeight / 2 < 46 ? 45 : top - rowHeight + boxHeight / 2}V${middle}H${left}`}
      />
      {state === 'cut' && <path class="cross" d={`M27 ${middle - 5}l10 10m0 -10l-10 10`} />}
      <rect x={left} y={top} width={width - left - 1} height={boxHeight} rx="8" />
      <text x={left + 12} y={top + 18}>
        {cutTo(targetText(name), mostLetters)}
      </text>
      <text class="kind" x={left + 12} y={top + 35}>
        {cutTo([`${kindText(kind)}, ${states[state]}`, ...by].join(' · '), 54)}
      </text>
      <title>{wholeTargetText(name)}</title>
    </g>
  );
}
