import { useEffect, useState } from 'preact/hooks';
import { signInPath } from '../core/console/routes.ts';

/** Where the desk serves the console. */
export const basePath = '/console';

export interface Address {
  /** Relative to the console's own path: `/incidents`. */
  readonly path: string;
  readonly query: URLSearchParams;
}

/** Shown if no page is named. */
const firstPage = '/incidents';

function addressNow(): Address {
  const { pathname, search } = window.location;
  const path = pathname.slice(basePath.length);
  return { path: path === '' || path === '/' ? firstPage : path, query: new URLSearchParams(search) };
}

const changed = 'firebreak:address';

/** Everything that a page shows is in its address, so that it can be sent to a colleague and reloaded. */
export function useAddress(): Address {
  const [address, setAddress] = useState(addressNow);
  useEffect(() => {
    const read = (): void => setAddress(addressNow());
    window.addEventListener('popstate', read);
    window.addEventListener(changed, read);
    return () => {
      window.removeEventListener('popstate', read);
      window.removeEventListener(changed, read);
    };
  }, []);
  return address;
}

/** `to` is relative to the console's own path. `replace`: text typed into a filter is one step in the history, not one per letter. */
export function goTo(to: string, { replace = false }: { readonly replace?: boolean } = {}): void {
  window.history[replace ? 'replaceState' : 'pushState'](undefined, '', `${basePath}${to}`);
  window.dispatchEvent(new Event(changed));
}

/** Follows links within the console without reloading it; every other click is left to the browser. */
export function followLinks(): void {
  document.addEventListener('click', (event) => {
    const link = event.target instanceof Element ? event.target.closest('a') : null;
    const isPlain = event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey && !event.altKey;
    if (!link || !isPlain || event.defaultPrevented || link.target !== '' || link.hasAttribute('download')) return;
    if (link.origin !== window.location.origin || !link.pathname.startsWith(`${basePath}/`) || link.hash !== '') return;
    // The sign-in is a page of the desk itself.
    if (link.pathname === signInPath) return;
    event.preventDefault();
    goTo(link.pathname.slice(basePath.length) + link.search);
    window.scrollTo(0, 0);
  });
}
