import { generateKeyPairSync } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { typedTarget } from '../../../../service/commands/confirm.ts';
import { firebreakHere } from '../../../command-line.ts';
import type { Service } from './service.ts';

/** A person in a configuration that is still being written. */
interface RosterEntry {
  readonly id: string;
  keys?: readonly string[];
  accounts?: readonly string[];
}

/**
 * Runs `firebreak ARGS` with the service's configuration, as this person, and returns its output. If it fails, rejects with its message and with `code`,
 * `stdout` and `stderr`. Runs in the test's own process: starting the command line costs at least half a second of CPU time.
 */
export type CommandLine = (person: string | undefined, ...args: readonly string[]) => Promise<string>;

/** Flags that confirm without a terminal that this should be ended or given up. */
export function meant(name: string): readonly string[] {
  return ['--yes', '--target', typedTarget(name)];
}

export function keyFile(service: Service, person: string): string {
  return join(service.folder, `${person}.pem`);
}

/** People of the roster who answer at the command line with their own keys. */
export function peopleWithKeys() {
  const privateKeys = new Map<string, string>();
  return {
    /** Creates a key for each person in the configuration, and returns the people. */
    giveKeys(config: Record<string, unknown>): readonly RosterEntry[] {
      const { people } = config.roster as { people: readonly RosterEntry[] };
      for (const person of people) {
        const { publicKey, privateKey } = generateKeyPairSync('ed25519');
        person.keys = [publicKey.export({ type: 'spki', format: 'pem' }).toString()];
        privateKeys.set(person.id, privateKey.export({ type: 'pkcs8', format: 'pem' }).toString());
      }
      return people;
    },
    commandLine(service: Service): CommandLine {
      for (const [id, pem] of privateKeys) writeFileSync(keyFile(service, id), pem, { mode: 0o600 });
      return async (person, ...args) => {
        const who = person === undefined ? [] : ['--as', person, '--key', keyFile(service, person)];
        const all = [...args, ...who, '--config', service.settings.configFile];
        const { status, stdout, stderr } = await firebreakHere(all, { folder: service.folder });
        if (status === 0) return stdout;
        throw Object.assign(new Error(`firebreak ${args.join(' ')}: ${stderr}`), { code: status, stdout, stderr });
      };
    },
  };
}
