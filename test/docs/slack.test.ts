import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { parse } from 'yaml';
import { channel, incident, post, startRig, until } from '../integrations/slack/fixture.ts';

const root = join(import.meta.dirname, '../..');
const manifest = parse(readFileSync(join(root, 'deploy/slack/manifest.yaml'), 'utf8'));
const scopes: readonly string[] = manifest.oauth_config.scopes.bot;

test('the manifest has all scopes that the desk needs in Slack', async () => {
  const rig = await startRig({}, scopes);
  // A lost answer: the desk looks for the card in the channel.
  rig.slack.fail('chat.postMessage', { status: 500 });
  await expect(post(rig)).rejects.toThrow();
  await post(rig);
  await rig.desk.postInThread({ key: 'line', incident, text: 'contained' });
  await rig.slack.click({ user: 'U0ADA', actionId: 'fb_decide1' });
  await until(() => rig.slack.ephemerals('U0ADA')[0]);
  expect(rig.slack.calls.filter(({ outcome }) => outcome === 'missing_scope')).toEqual([]);
  expect(rig.clicks).toHaveLength(1);
  await rig.stop();
});

test('the manifest sends everything to the one address at which the desk answers, and Socket Mode is off', () => {
  const [command] = manifest.features.slash_commands;
  const { interactivity, socket_mode_enabled: socketMode } = manifest.settings;
  expect(command).toMatchObject({ command: '/firebreak', url: interactivity.request_url });
  expect(new URL(interactivity.request_url).pathname).toBe('/slack/events');
  expect(interactivity.is_enabled).toBe(true);
  expect(socketMode).toBe(false);
});

test('the manifest’s message shortcut is the one that the desk accepts', async () => {
  const [shortcut] = manifest.features.shortcuts;
  expect(shortcut.type).toBe('message');
  const rig = await startRig({}, scopes);
  const { ts } = rig.slack.world.add({ channel, ts: rig.slack.world.nextTs(), user: 'U0GRACE', text: 'odd' });
  await rig.slack.shortcut({ user: 'U0ADA', channel, ts, callbackId: shortcut.callback_id });
  await until(() => rig.slack.world.openView('U0ADA'));
  await rig.stop();
});

test('the page about Slack names every scope, and its pictures exist', () => {
  const page = readFileSync(join(root, 'docs/slack.md'), 'utf8');
  for (const scope of scopes) expect(page).toContain(`\`${scope}\``);
  const pictures = [...page.matchAll(/\]\((images\/[^)]+)\)/g)].map(([, file]) => file ?? '');
  expect(pictures.length).toBeGreaterThan(8);
  expect(pictures.filter((file) => !existsSync(join(root, 'docs', file)))).toEqual([]);
});
