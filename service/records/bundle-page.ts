import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { stripTypeScriptTypes } from 'node:module';
import { extname, join } from 'node:path';
import type { Bundle } from '../../core/bundle/bundle.ts';
import { canonicalJson } from '../../core/text/digest.ts';

const folder = join(import.meta.dirname, 'bundle-page');
/** `.ts` in a checkout, `.js` in a build. */
const ending = extname(import.meta.filename);
const verifier = join(import.meta.dirname, '../../core/bundle', `verify-bundle${ending}`);

/**
 * Renders a bundle as one page that needs only a browser: it shows what happened, and verifies itself. It loads nothing, and only its own script runs, whatever
 * texts an attacker has put on record.
 */
export async function bundlePage(bundle: Bundle): Promise<string> {
  const [source, page, style] = await Promise.all(
    [verifier, join(folder, 'page.mjs'), join(folder, 'page.css')].map((file) => readFile(file, 'utf8')),
  );
  const plain =
    ending === '.ts' ? stripTypeScriptTypes(source ?? '') : (source ?? '').replace(/^\/\/# sourceMappingURL=.*$/m, '');
  // Text inside a script must not end it.
  const script = `\n${plain}\n${page ?? ''}`.replaceAll('</script', '<\\/script');
  const policy = `default-src 'none'; script-src '${sourceHash(script)}'; style-src '${sourceHash(style ?? '')}'`;
  return [
    '<!doctype html>',
    '<html lang="en">',
    '<meta charset="utf-8">',
    `<meta http-equiv="Content-Security-Policy" content="${policy}">`,
    '<meta name="viewport" content="width=device-width">',
    '<title>Incident bundle</title>',
    `<style>${style ?? ''}</style>`,
    `<script id="bundle" type="application/json">${canonicalJson(bundle).replaceAll('<', '\\u003c')}</script>`,
    '<main><noscript>This page needs JavaScript to show the incident and to check itself. <code>verify.py</code> checks it without.</noscript></main>',
    `<script type="module">${script}</script>`,
    '</html>',
    '',
  ].join('\n');
}

function sourceHash(text: string): string {
  return `sha256-${createHash('sha256').update(text).digest('base64')}`;
}
