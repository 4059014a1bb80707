import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parse, stringify } from 'yaml';
import { runUnder } from '../../service/launcher/launcher.mjs';
import { serviceEnvironment, serviceNodeFlags } from '../../service/launcher/node-flags.mjs';
import type { PlatformRecord } from '../platform/platform-record.ts';
import { freePorts } from '../platform/ports.ts';
import { ensureBuilt } from '../setup/build.mjs';

/** Who answers on a platform on which a pack is tried. A release of what is critical takes two people: the developer answers as both. */
const people = [
  { id: 'you', name: 'You' },
  { id: 'second', name: 'A second person' },
] as const;

/**
 * Runs Firebreak on the local platform with a pack under development: saved changes are live, until it is interrupted. Configuration, keys and records stay in
 * a folder next to the platform's, so changes there persist to the next run.
 */
export async function runPack(folder: string, { stateDir, temporal, kubernetes }: PlatformRecord): Promise<void> {
  const home = join(stateDir, 'firebreak');
  mkdirSync(home, { recursive: true, mode: 0o700 });
  const keys = people.map(({ id }) => [id, join(home, `${id}.pem`)] as const);
  for (const [, key] of keys) {
    if (existsSync(key)) continue;
    const { publicKey, privateKey } = generateKeyPairSync('ed25519');
    writeFileSync(key, privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });
    writeFileSync(`${key}.pub`, publicKey.export({ type: 'spki', format: 'pem' }));
  }
  const token = join(home, 'token');
  if (!existsSync(token)) writeFileSync(token, randomBytes(20).toString('hex'), { mode: 0o600 });
  const ports = await freePorts({ names: ['intake', 'desk'], file: join(home, 'ports.json') });
  const configFile = join(home, 'firebreak.yaml');
  const written: object = existsSync(configFile) ? parse(readFileSync(configFile, 'utf8')) : firstConfig(ports);
  const servers = {
    temporal: { address: temporal.address, namespace: temporal.namespace },
    kubernetes: { kubeconfig: kubernetes.kubeconfig },
  };
  writeFileSync(configFile, stringify({ ...written, ...servers }), { mode: 0o600 });
  process.stdout.write(
    `configuration           ${configFile}\n${keys.map(([id, key]) => `key for answers (--as ${id}) ${key}\n`).join('')}\n`,
  );
  const built = await ensureBuilt({ node: process.execPath });
  const cli = join(built, 'service', 'cli.js');
  process.exitCode = await runUnder({
    node: process.execPath,
    args: [...serviceNodeFlags, cli, 'run', '--config', configFile, '--watch', resolve(folder)],
    env: { ...serviceEnvironment, ...process.env },
  });
}

/** From then on the file is the user's to change, except for the servers' addresses. */
function firstConfig(ports: { readonly intake: number; readonly desk: number }): object {
  return {
    cluster: 'dev',
    stateDir: 'state',
    intake: { listen: { port: ports.intake }, tokens: [{ name: 'dev', token: { file: 'token' } }] },
    desk: { listen: { port: ports.desk } },
    roster: {
      people: people.map(({ id, name }) => ({ id, name, keys: [`${id}.pem.pub`] })),
      groups: { oncall: people.map(({ id }) => id), leads: people.map(({ id }) => id) },
    },
    log: { format: 'text' },
  };
}
