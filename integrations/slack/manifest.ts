import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** The app as Slack makes it, in YAML, with an example's address of the desk. */
export function slackManifest(): string {
  return readFileSync(join(import.meta.dirname, 'manifest.yaml'), 'utf8');
}
