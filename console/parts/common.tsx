import type { ComponentChildren } from 'preact';
import { useEffect, useId, useState } from 'preact/hooks';
import type { RequestFault } from '../api.ts';
import { agoText, lengthText, timeText, wholeTimeText } from '../time.ts';

/** The reader's clock, updated every `everyMs`. */
export function useNow(everyMs = 30_000): number {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), everyMs);
    return () => clearInterval(timer);
  }, [everyMs]);
  return now;
}

/** A time in the reader's zone; in full on hover. */
export function Time({ at, as = 'clock' }: { readonly at: string; readonly as?: 'clock' | 'ago' }) {
  const now = useNow();
  return (
    <time dateTime={at} title={wholeTimeText(at)}>
      {as === 'ago' ? agoText(at, now) : timeText(at, now)}
    </time>
  );
}

const lastMinutesMs = 10 * 60_000;

/** Time left until then. Not read aloud each second: a screen reader gets the time itself. */
export function Countdown({ until, over = 'now' }: { readonly until: string; readonly over?: string }) {
  const left = Date.parse(until) - useNow(1000);
  return (
    <>
      <span class={`number${left < lastMinutesMs ? ' fault' : ''}`} aria-hidden="true">
        {left <= 0 ? over : `in ${lengthText(left)}`}
      </span>
      <span class="unseen">
        at <Time at={until} />
      </span>
    </>
  );
}

export function Tag({ tone = '', children }: { readonly tone?: string; readonly children: ComponentChildren }) {
  return <span class={`tag ${tone}`}>{children}</span>;
}

export function Severity({ is }: { readonly is: string }) {
  return <Tag tone={is}>{is.charAt(0).toUpperCase() + is.slice(1)}</Tag>;
}

/** A section of a page, with its heading, which names it for a screen reader. `aside` is shown next to the heading. */
export function Sheet({
  title,
  aside,
  none,
  class: className = '',
  children,
}: {
  readonly title: string;
  readonly aside?: ComponentChildren;
  /** Text if there is nothing to show; `children` are then not shown. */
  readonly none?: string | undefined;
  readonly class?: string;
  readonly children?: ComponentChildren;
}) {
  const id = useId();
  return (
    <section class={`sheet ${className}`} aria-labelledby={id}>
      <header>
        <h2 id={id}>{title}</h2>
        {aside}
      </header>
      {none === undefined ? children : <p class="none">{none}</p>}
    </section>
  );
}

/** `#` before a heading: a column of numbers. */
export function Table({ head, children }: { readonly head: readonly string[]; readonly children: ComponentChildren }) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reached by the keyboard
    <section class="scroll" tabIndex={0} aria-label={`${head[0]}, table`}>
      <table>
        <thead>
          <tr>
            {head.map((text) => (
              <th key={text} scope="col" class={text.startsWith('#') ? 'number' : ''}>
                {text.replace('#', '')}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>{children}</tbody>
      </table>
    </section>
  );
}

/** A placeholder of the size of the coming content, so that nothing jumps. */
export function Waiting({ what }: { readonly what: string }) {
  return (
    <div class="waiting" role="status">
      <span class="unseen">{what} …</span>
      <span />
      <span />
      <span />
    </div>
  );
}

/** What went wrong and what to do, with a way to retry. */
export function Problem({ fault, again }: { readonly fault: RequestFault; readonly again?: () => void }) {
  return (
    <div class="notice bad" role="alert">
      <p>
        <strong>{fault.message}</strong> {fault.help}
      </p>
      {again && (
        <button type="button" onClick={again}>
          Try again
        </button>
      )}
    </div>
  );
}

export function Empty({ title, children }: { readonly title: string; readonly children?: ComponentChildren }) {
  return (
    <div class="empty">
      <h2>{title}</h2>
      {children}
    </div>
  );
}

/** A name and its value, for a list of facts. */
export function Fact({ name, children }: { readonly name: string; readonly children: ComponentChildren }) {
  return (
    <>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </>
  );
}

/** Names the page in the browser's tab and for a screen reader, and moves the focus to the start of its content. */
export function usePage(title: string): void {
  useEffect(() => {
    document.title = `${title} · Firebreak`;
  }, [title]);
}
