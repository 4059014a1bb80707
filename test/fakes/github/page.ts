import type { FakeIssue } from './store.ts';

function html(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}

/** The text that GitHub would show for our Markdown: without the marker, escapes and entities resolved. Shown as text, never as HTML. */
export function shownText(markdown: string): string {
  return markdown
    .replace(/^<!--.*?-->\n?/, '')
    .replaceAll(/\\([!-/:-@[-`{-~])/g, '$1')
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&amp;', '&')
    .trim();
}

function card(issue: FakeIssue, repository: string): string {
  const labels = issue.labels.map((label) => `<span class="label">${html(label)}</span>`).join(' ');
  const comments = issue.comments.map((comment) => `<pre class="comment">${html(shownText(comment.body))}</pre>`).join('');
  const state = issue.state === 'open' ? 'Open' : `Closed as ${html(issue.stateReason ?? 'completed')}`;
  return `<article id="${issue.number}"><h2>${html(issue.title)} <small>#${issue.number}</small></h2>
<p><span class="state ${issue.state}">${state}</span> ${labels} <small>${html(repository)}, ${new Date(issue.createdAt).toISOString()}</small></p>
<pre>${html(shownText(issue.body))}</pre>${comments}</article>`;
}

/** The issues as a person would read them. */
export function issuesPage(repository: string, issues: readonly FakeIssue[]): string {
  return `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Issues of ${html(repository)}</title>
<style>
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #1f2328 }
article { border: 1px solid #d1d9e0; border-radius: 6px; padding: 0 1rem 1rem; margin: 1rem 0 }
h2 { font-size: 1.15rem; margin: .8rem 0 .2rem; overflow-wrap: anywhere } small { color: #59636e; font-weight: 400 }
pre { white-space: pre-wrap; overflow-wrap: anywhere; font: inherit } .comment { border-top: 1px solid #d1d9e0; padding-top: .6rem }
.label { background: #ddf4ff; border-radius: 1rem; padding: 0 .6rem } .state { color: #fff; border-radius: 1rem; padding: .1rem .7rem }
.open { background: #1a7f37 } .closed { background: #59636e }
</style>
<h1>Issues of ${html(repository)}</h1>
<p>A stand-in for GitHub, on this machine only.</p>
${issues.length === 0 ? '<p>No issue yet.</p>' : issues.map((issue) => card(issue, repository)).join('\n')}
</html>`;
}
