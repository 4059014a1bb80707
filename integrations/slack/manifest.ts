import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Returns the app manifest for Slack, in YAML, with an example address of the desk. */
export function slackManifest(): string {
  return readFileSync(join(import.meta.dirname, 'manifest.yaml'), 'utf8');
}
