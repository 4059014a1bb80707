import { useEffect, useRef } from 'preact/hooks';
import drawings from '../drawings.json' with { type: 'json' };

interface Drawing {
  readonly alert: string;
  readonly width: number;
  readonly height: number;
  readonly boxes: readonly {
    readonly kind: string;
    readonly x: number;
    readonly y: number;
    readonly width: number;
    readonly height: number;
    readonly lines: readonly string[];
  }[];
  readonly ways: readonly { readonly path: string; readonly label: string; readonly at: readonly number[] }[];
}

const shipped: Readonly<Record<string, readonly Drawing[]>> = drawings;

/** Of a shipped playbook, as its test has gone every way; of a pack's there are none. */
export function drawingsOf(playbook: string): readonly Drawing[] {
  return Object.hasOwn(shipped, playbook) ? (shipped[playbook] ?? []) : [];
}

const [lineHeight, firstLine] = [16, 22];

const kinds: Readonly<Record<string, string>> = {
  alert: 'Begins with',
  step: 'Does',
  destructive: 'Does, and cannot take back',
  question: 'Asks',
  end: 'Ends',
};

/** From the alert down to the ends: what is done, what is asked, and how each answer goes on. Drawn for eyes; the list says what stands in it. */
export function PlaybookDrawing({ drawing: { alert, width, height, boxes, ways } }: { readonly drawing: Drawing }) {
  const shown = useRef<HTMLElement>(null);
  // It begins in the middle: on a telephone that is where the eye has to be.
  useEffect(() => {
    const { current } = shown;
    if (current) current.scrollLeft = (current.scrollWidth - current.clientWidth) / 2;
  }, []);
  return (
    <figure>
      <figcaption class="soft small">On {alert}</figcaption>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reached by the keyboard */}
      <section class="scroll" ref={shown} tabIndex={0} aria-label={`Drawing: on ${alert}`}>
        <svg class="ways" viewBox={`0 0 ${width} ${height}`} width={width} height={height} aria-hidden="true">
          <defs>
            <marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">
              <path d="M0 0L8 4L0 8z" />
            </marker>
          </defs>
          {ways.map(({ path }) => (
            <path key={path} class="way" d={path} marker-end="url(#tip)" />
          ))}
          {boxes.map(({ kind, x, y, width: wide, height: tall, lines }) => (
            <g key={`${x} ${y}`} class={kind}>
              <rect x={x} y={y} width={wide} height={tall} rx={kind === 'step' || kind === 'destructive' ? 3 : 14} />
              {lines.map((line, index) => (
                <text key={index} x={x + wide / 2} y={y + firstLine + index * lineHeight}>
                  {line}
                </text>
              ))}
            </g>
          ))}
          {ways.map(({ path, label, at: [x, y] }) => (
            <text key={path} class="label" x={x} y={y}>
              {label}
            </text>
          ))}
        </svg>
      </section>
      <ol class="unseen">
        {boxes.map(({ kind, x, y, lines }) => (
          <li key={`${x} ${y}`}>
            {kinds[kind]}: {lines.join(' ')}
          </li>
        ))}
      </ol>
    </figure>
  );
}
