import { generateKeyPairSync } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { typedEnd } from '../../../../core/decide/approval.ts';
import { firebreakHere } from '../../../command-line.ts';
import type { Service } from './service.ts';

/** A person in a configuration that is still being written. */
interface RosterEntry {
  readonly id: string;
  keys?: readonly string[];
  accounts?: readonly string[];
}

/**
 * Runs `firebreak ARGS` with the service's configuration, as this person, and answers what it prints. Rejects where it fails, with what it says and
 * `code`, `stdout` and `stderr`. In the test's own process: a start of the command line costs half a second of the processor and more.
 */
export type CommandLine = (person: string | undefined, ...args: readonly string[]) => Promise<string>;

/** As somebody says it without a terminal, where this would end or be given up. */
export function meant(name: string): readonly string[] {
  return ['--yes', '--target', typedEnd(name)];
}

export function keyFile(service: Service, person: string): string {
  return join(service.folder, `${person}.pem`);
}

/** People of the roster who answer with keys of their own, at the command line. */
export function peopleWithKeys() {
  const privateKeys = new Map<string, string>();
  return {
    /** A key for each person of the configuration, who is returned. */
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
