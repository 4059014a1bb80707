import { useEffect, useRef } from 'preact/hooks';
import type { PlaybookDrawing as Drawing } from '../../core/console/console.schema.ts';
import { useAsked } from '../api.ts';
import drawings from '../drawings.json' with { type: 'json' };
import { Problem, Sheet, Waiting } from './common.tsx';

/** Drawings of shipped playbooks, from tests that have gone every way. */
const shipped: Readonly<Record<string, readonly Drawing[]>> = drawings as Readonly<Record<string, Drawing[]>>;

const title = 'What each answer leads to';

/** Every way that a playbook can go, for each alert that it was tried on. */
export function PlaybookWays({ id }: { readonly id: string }) {
  const own = Object.hasOwn(shipped, id) ? shipped[id] : undefined;
  return own ? <Drawings drawings={own} /> : <WaysOfPack id={id} />;
}

function WaysOfPack({ id }: { readonly id: string }) {
  const { data, fault, isLoading, again } = useAsked('drawings', { query: { playbook: id } }, () => false);
  if (fault) return <Problem fault={fault} again={again} />;
  if (isLoading || !data) return <Waiting what="Trying every answer" />;
  if (data.items.length > 0) return <Drawings drawings={data.items} />;
  return (
    <Sheet title={title}>
      <p class="soft">
        {data.why} On your own machine: <code>firebreak playbooks graph {id} --pack FOLDER</code>
      </p>
    </Sheet>
  );
}

function Drawings({ drawings }: { readonly drawings: readonly Drawing[] }) {
  return (
    <Sheet title={title}>
      <p class="soft small">Drawn from a test that tries every path. Steps in a red frame cannot be undone.</p>
      {drawings.map((drawing) => (
        <OneDrawing key={drawing.alert} drawing={drawing} />
      ))}
    </Sheet>
  );
}

/** Distance from the upper edge of a box or a label to the baseline of its first line, and between lines. */
const foot = { box: 22, label: 12, line: 16 };

const kinds: Readonly<Record<Drawing['boxes'][number]['kind'], string>> = {
  alert: 'Begins with',
  step: 'Does',
  destructive: 'Does, and cannot undo',
  question: 'Asks',
  end: 'Ends',
};

/** From the alert down to the ends: what is done, what is asked, and how each answer continues. Purely visual; the list says the same. */
function OneDrawing({ drawing: { alert, width, height, boxes, ways } }: { readonly drawing: Drawing }) {
  const shown = useRef<HTMLElement>(null);
  // It starts in the middle: on a phone, that is where one has to look.
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
              <Lines lines={lines} x={x + wide / 2} y={y + foot.box} />
            </g>
          ))}
          {ways.map(
            ({ path, label }) =>
              label && (
                <g key={path} class="label">
                  <Lines lines={label.lines} x={label.x + label.width / 2} y={label.y + foot.label} />
                </g>
              ),
          )}
        </svg>
      </section>
      <ol class="unseen">
        {boxes.map(({ kind, x, y, lines }, at) => (
          <li key={`${x} ${y}`}>
            {at + 1}. {kinds[kind]}: {lines.join(' ')}
            {ways
              .filter(({ from }) => from === at)
              .map(({ to, label }) => ` ${label ? `If ${label.lines.join(' ')}` : 'Then'}: ${to + 1}.`)}
          </li>
        ))}
      </ol>
    </figure>
  );
}

function Lines({ lines, x, y }: { readonly lines: readonly string[]; readonly x: number; readonly y: number }) {
  return (
    <>
      {lines.map((line, at) => (
        <text key={at} x={x} y={y + at * foot.line}>
          {line}
        </text>
      ))}
    </>
  );
}
