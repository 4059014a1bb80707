/** Preloaded into a command: writes which modules of Firebreak and which packages it has loaded, as JSON, into the file named by LOADED. */
import { writeFileSync } from 'node:fs';
import { registerHooks } from 'node:module';

const urls = new Set();
registerHooks({
  load(url, context, next) {
    urls.add(url);
    return next(url, context);
  },
});
process.on('exit', () => {
  const files = [...urls].filter((url) => url.startsWith('file:'));
  const packages = files.flatMap((url) => /.*\/node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(url)?.[1] ?? []);
  const own = files.filter((url) => !url.includes('/node_modules/'));
  writeFileSync(process.env.LOADED, JSON.stringify({ own: own.length, packages: [...new Set(packages)].sort() }));
});
