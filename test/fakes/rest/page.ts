function html(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}

interface PageEntry {
  readonly title: string;
  readonly state: string;
  readonly open: boolean;
  readonly facts: readonly string[];
  readonly texts: readonly string[];
}

/** What arrived, as a person would read it. All of it is shown as text. */
export function entriesPage(name: string, entries: readonly PageEntry[]): string {
  const shown = entries.map(
    ({ title, state, open, facts, texts }) => `<article><h2>${html(title)}</h2>
<p><span class="state ${open ? 'open' : 'closed'}">${html(state)}</span> ${facts.map((fact) => `<span class="fact">${html(fact)}</span>`).join(' ')}</p>
${texts.map((text) => `<pre>${html(text)}</pre>`).join('\n')}</article>`,
  );
  return `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>${html(name)}</title>
<style>
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #1f2328 }
article { border: 1px solid #d1d9e0; border-radius: 6px; padding: 0 1rem 1rem; margin: 1rem 0 }
h2 { font-size: 1.15rem; margin: .8rem 0 .2rem; overflow-wrap: anywhere }
pre { white-space: pre-wrap; overflow-wrap: anywhere; font: inherit; border-top: 1px solid #d1d9e0; padding-top: .6rem }
.fact { background: #ddf4ff; border-radius: 1rem; padding: 0 .6rem } .state { color: #fff; border-radius: 1rem; padding: .1rem .7rem }
.open { background: #1a7f37 } .closed { background: #59636e }
</style>
<h1>${html(name)}</h1>
<p>A stand-in, on this machine only.</p>
${shown.length === 0 ? '<p>Nothing yet.</p>' : shown.join('\n')}
</html>`;
}
