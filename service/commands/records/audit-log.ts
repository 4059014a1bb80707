import { type Command, InvalidArgumentError } from 'commander';
import { FirebreakError } from '../../../core/errors.ts';
import { isKeyName, type NoteKey, parseVerifierKey, pemOf, rawKeyOf, verifierKey } from '../../../core/tlog/signed-note.ts';
import { portOf } from '../../../integrations/http-door.ts';
import { createVerifier, openSigner } from '../../../integrations/keys/ed25519.ts';
import { createLogFolder } from '../../../integrations/tlog/log-folder.ts';
import { configToUse } from '../../config/left-out.ts';
import type { Config } from '../../config/load.ts';
import { notaryKeyFiles, readKeyText } from '../../process/keys/key-files.ts';
import { reasonOf } from '../../process/reason.ts';
import { type ExpectedLog, logKeys, readLogNote, readWitnessed } from '../../records/log-check.ts';
import { serveWitness } from '../../witness/witness-server.ts';
import { type ConfiguredOptions, withConfig, withExamples } from '../options.ts';
import { print, printable, printJson } from '../output.ts';

interface WitnessOptions {
  readonly log: readonly NoteKey[];
  readonly name: string;
  readonly key: string;
  readonly state: string;
  readonly listen: { readonly host: string; readonly port: number };
}

/** Adds `firebreak audit log` and `firebreak audit witness`. */
export function registerLogCommands(audit: Command): void {
  const log = audit
    .command('log')
    .description('show the transparency log of the checkpoints: its key, its size, and who has signed it');
  withExamples(withConfig(log), ['firebreak audit log', 'firebreak audit log --json']).action(showLog);
  const witness = audit
    .command('witness')
    .description(
      'run a witness for transparency logs (C2SP tlog-witness): it signs logs that have only grown, and refuses changed ones; best run on a separate machine, by people with no other part in Firebreak',
    )
    .requiredOption('--log <keys...>', 'NAME+ID+KEY of each log, as `firebreak audit log` prints it', logKey)
    .requiredOption('--name <name>', 'its own name, without spaces: preferably the address where it is reached', keyName)
    .requiredOption('--key <file>', 'its Ed25519 private key (PEM); created if missing')
    .requiredOption('--state <folder>', 'the folder for its state: never restore an older copy of it')
    .option('--listen <host:port>', 'where it listens', hostAndPort, { host: '127.0.0.1', port: 8_780 });
  withExamples(witness, [
    'firebreak audit witness --log firebreak/prod-eu+1f2e3d4c+AZ… --name witness.example.com --key witness.pem --state /var/lib/witness',
  ]).action(runWitness);
}

async function showLog(options: ConfiguredOptions): Promise<void> {
  const config = configToUse(options.config);
  const expected = await expectedLog(config, {});
  const said = await readLogNote(expected.files, config.audit.log.name);
  const witnessed = await readWitnessed(expected);
  const shown = {
    name: config.audit.log.name,
    key: verifierKey(expected.keys[0]),
    folder: config.audit.log.folder,
    checkpoints: said?.size ?? 0,
    ...(said && { root: said.root }),
    witnesses: witnessed.map(({ key, said: note, cosigned }) => ({
      name: key.name,
      ...(note && cosigned && { checkpoints: note.size, at: new Date(cosigned.seconds * 1_000).toISOString() }),
    })),
  };
  if (options.json) return printJson(shown);
  print(printable(`${shown.name}: ${shown.checkpoints} checkpoints in ${shown.folder}`));
  print(printable(`Key: ${shown.key}`));
  for (const { name, at, checkpoints } of shown.witnesses)
    print(
      printable(
        at === undefined ? `${name} has not signed anything.` : `${name} has signed ${checkpoints} checkpoints at ${at}.`,
      ),
    );
}

async function runWitness(options: WitnessOptions): Promise<void> {
  const signer = await openSigner({ file: options.key, create: true });
  const publicKey = rawKeyOf(signer.publicKey);
  if (!publicKey) throw new FirebreakError('FB_ERR_CONFIG_INVALID', `${options.key} is not an Ed25519 key in PEM`);
  const key: NoteKey = { name: options.name, type: 'cosignature', publicKey };
  const server = await serveWitness(
    {
      logs: options.log,
      verifier: createVerifier({ publicKeys: options.log.map(pemOf) }),
      ...{ signer, key },
      kept: createLogFolder({ folder: options.state }),
      onProblem: (error) => console.error(`nothing is signed: ${reasonOf(error)}`),
    },
    options.listen,
  );
  print(
    printable(`Witness of ${options.log.map(({ name }) => name).join(', ')} at http://${options.listen.host}:${portOf(server)}`),
  );
  print(printable(`Key: ${verifierKey(key)}`));
}

/** The transparency log of a configuration, or a copy of it, with the trusted keys. @throws FB_ERR_CONFIG_INVALID */
export async function expectedLog(
  { audit }: Config,
  given: { readonly log?: string; readonly witness?: readonly string[]; readonly publicKey?: readonly string[] },
): Promise<ExpectedLog> {
  const { log = audit.log.folder, witness, publicKey = notaryKeyFiles(audit) } = given;
  const [first = '', ...others] = await Promise.all(publicKey.map(readKeyText));
  const witnesses = witness ?? audit.log.witnesses.map(({ key }) => key);
  return {
    files: createLogFolder({ folder: log }),
    ...logKeys({ name: audit.log.name, witnesses, publicKeys: [first, ...others] }),
  };
}

function logKey(text: string, before: readonly NoteKey[] = []): readonly NoteKey[] {
  const key = parseVerifierKey(text);
  if (key?.type !== 'note')
    throw new InvalidArgumentError('Expected the key of a log: NAME+ID+KEY, as `firebreak audit log` prints it.');
  return [...before, key];
}

function keyName(text: string): string {
  if (!isKeyName(text)) throw new InvalidArgumentError('Expected a name without spaces or plus signs.');
  return text;
}

function hostAndPort(text: string): WitnessOptions['listen'] {
  const [, host = '', port] = /^(.+):(\d{1,5})$/.exec(text) ?? [];
  if (port === undefined || Number(port) > 65_535) throw new InvalidArgumentError('Expected HOST:PORT, such as 0.0.0.0:8780.');
  return { host: host.replaceAll(/^\[|\]$/g, ''), port: Number(port) };
}
