/** The stand-ins for Slack and GitHub in a process of their own: `node stand-ins.ts SETTINGS.json`. */
import { readFileSync } from 'node:fs';
import type { StandInSettings } from '../../tools/demo/settings.ts';
import { startGithubFake } from './github/server.ts';
import { startSlackEmulator } from './slack/index.ts';

const [file = ''] = process.argv.slice(2);
const { slack, github }: StandInSettings = JSON.parse(readFileSync(file, 'utf8'));
await Promise.all([startSlackEmulator(slack), startGithubFake({ ...github, private: true, push: true })]);
