import { generateKeyPairSync } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { type Command, InvalidArgumentError } from 'commander';
import { type Mode, modes } from '../../../core/assessment/response.ts';
import { FirebreakError } from '../../../core/errors.ts';
import { writeProblem } from '../../../core/system-error.ts';
import { ensureFolderSync } from '../../../integrations/ensure-folder.ts';
import { slackManifest } from '../../../integrations/slack/manifest.ts';
import { httpUrl } from '../../config/fields.ts';
import { configJsonSchema } from '../../config/json-schema.ts';
import { checkConfig } from '../../config/load.ts';
import { type ConfigProblem, describeProblem } from '../../config/problems.ts';
import { openClusterApi } from '../../process/cluster-api.ts';
import { type ClusterSight, lookAtCluster } from '../../setup/cluster-sight.ts';
import {
  configFile,
  firstMode,
  isOnThisMachine,
  type NewFile,
  type NewInstallation,
  type NewPerson,
  newFiles,
  newToken,
  publicKeyFile,
  temporalHere,
  tokenFile,
  withoutSlack,
} from '../../setup/new-installation.ts';
import { askOnTerminal } from '../confirm.ts';
import { type CommonOptions, withExamples, withJson } from '../options.ts';
import { print, printable, printFacts, printJson } from '../output.ts';

interface InitOptions extends CommonOptions {
  readonly out: string;
  readonly yes?: true;
  readonly force?: true;
  readonly cluster?: string;
  readonly temporal?: string;
  readonly kubeconfig?: string;
  readonly context?: string;
  readonly person: readonly NewPerson[];
  readonly slack?: NonNullable<NewInstallation['slack']>;
  readonly url?: string;
  readonly mode?: Mode;
}

const lookForMs = 10_000;
/** Instead of an address: the chart installs Temporal. */
const install = 'install';

/** Adds `firebreak init`. */
export function registerInitCommand(program: Command): void {
  const init = program
    .command('init')
    .description('write the files of a new installation: configuration, token, chart values, Secrets, and the Slack app manifest')
    .option('--out <dir>', 'folder to write into', 'firebreak')
    .option('--yes', 'ask nothing: use the options, what is found in the cluster, and defaults')
    .option('--force', 'overwrite existing files, except for the token and keys')
    .option('--cluster <name>', 'name of the cluster (default: lab)')
    .option(
      '--temporal <address>',
      `Temporal’s frontend, or \`install\` for one that the chart brings, for a trial (default: its service in the cluster, else \`install\`; ${temporalHere} if no cluster is read)`,
    )
    .option('--kubeconfig <file>', 'the kubeconfig (default: KUBECONFIG; without one, the cluster is not read)')
    .option('--context <name>', 'the context in it (default: the current one)')
    .option('--person <id=name[:slack]>', 'who decides; may be repeated: critical decisions need at least two', person, [])
    .option(
      '--mode <mode>',
      `what it does by itself: ${modes.join(', ')} (default: ${firstMode}, which writes nothing to the cluster and asks nobody)`,
      modeOf,
    )
    .option('--slack <app,team,channel>', 'ids of the app, the workspace and the channel (default: no Slack)', slack)
    .option('--url <url>', 'where Slack and external sensors reach it', webAddress);
  withExamples(withJson(init), [
    'firebreak init',
    'firebreak init --yes --out try --person ada=Ada --person grace=Grace --kubeconfig ~/.kube/config',
    'firebreak init --yes --person ada=Ada:U0123456789 --person grace=Grace:U1234567890 --slack A0123456789,T0123456789,C0123456789',
  ]).action(make);
}

function person(text: string, before: readonly NewPerson[] = []): readonly NewPerson[] {
  const [, id, name, account] = /^([A-Za-z0-9][A-Za-z0-9._-]{0,62})=([^:]+?)(?::([UW][A-Z0-9]+))?$/.exec(text.trim()) ?? [];
  if (id === undefined || name === undefined)
    throw new InvalidArgumentError(
      'Expected ID=NAME, or ID=NAME:SLACK with the id of their Slack account, such as ada=Ada:U0123456789.',
    );
  if (before.some((one) => one.id === id)) throw new InvalidArgumentError(`Two people have the id ${id}: each needs their own.`);
  return [...before, { id, name, ...(account !== undefined && { slack: account }) }];
}

function slack(text: string): NonNullable<NewInstallation['slack']> {
  const [, appId, teamId, channel] = /^(A[A-Z0-9]+),(T[A-Z0-9]+),([CG][A-Z0-9]+)$/.exec(text.replaceAll(' ', '')) ?? [];
  if (appId === undefined || teamId === undefined || channel === undefined)
    throw new InvalidArgumentError('Expected three ids separated by commas, such as A0123456789,T0123456789,C0123456789.');
  return { appId, teamId, channel };
}

function modeOf(text: string): Mode {
  const mode = modes.find((one) => one === text.trim());
  if (mode === undefined) throw new InvalidArgumentError(`Expected one of ${modes.join(', ')}.`);
  return mode;
}

function webAddress(text: string): string {
  if (!httpUrl.safeParse(text).success)
    throw new InvalidArgumentError('Expected an address such as https://firebreak.example.com.');
  return text;
}

async function make(options: InitOptions): Promise<void> {
  const out = resolve(options.out);
  const asks = !options.yes && process.stdin.isTTY === true;
  const kubeconfig = options.kubeconfig ?? process.env.KUBECONFIG;
  const looked = kubeconfig === undefined ? 'No kubeconfig' : await look(kubeconfig, options.context);
  if (!options.json) tell(looked);
  const sight = typeof looked === 'string' ? undefined : looked;
  const wanted = asks ? await ask(options, kubeconfig, sight) : chosen(options, kubeconfig, sight);
  const kept = join(out, tokenFile);
  const token = existsSync(kept) ? readFileSync(kept, 'utf8').trim() : newToken();
  const keys = keysOf(wanted, out);
  const publicKeys = Object.fromEntries(keys.map(({ person, publicKey }) => [person, publicKey]));
  const files = [
    ...newFiles(wanted, { token, publicKeys, schema: configJsonSchema(), slackManifest: slackManifest() }),
    ...keys.flatMap(({ newFiles: written }) => written),
  ];
  const there = files.filter(({ name }) => name !== tokenFile && existsSync(join(out, name)));
  if (there.length > 0 && !options.force)
    throw new FirebreakError(
      'FB_ERR_INCOMPLETE',
      `${out} already has ${there.map(({ name }) => name).join(', ')}: --force overwrites them`,
    );
  const problems = checkedBefore(files, publicKeys);
  write(out, files);
  const config = join(out, configFile);
  const next = commandsFor(wanted, out, config);
  if (options.json) return printJson({ folder: out, files: files.map(({ name }) => name), sight: sight ?? null, problems, next });
  print(`Written to ${printable(out)}: ${files.map(({ name }) => name).join(', ')}`);
  for (const problem of problems) print(printable(describeProblem(problem)));
  print('\nNext:');
  for (const line of next) print(printable(`  ${line}`));
}

/** Checks whether the configuration is valid before anything is written, and returns what else to consider. @throws FB_ERR_INCOMPLETE if it is not valid. */
function checkedBefore(files: readonly NewFile[], publicKeys: Readonly<Record<string, string>>): readonly ConfigProblem[] {
  const folder = mkdtempSync(join(tmpdir(), 'firebreak-init-'));
  try {
    const keys = Object.entries(publicKeys).map(([id, text]) => ({ name: publicKeyFile({ id }), text }));
    write(folder, [...files.filter(({ name }) => [configFile, tokenFile].includes(name)), ...keys]);
    const checked = checkConfig({ path: join(folder, configFile), env: process.env });
    if (checked.ok) return checked.deadEnds;
    const wrong = checked.problems.map(({ path, problem, remedy }) => `${path}: ${problem}. ${remedy}`);
    throw new FirebreakError('FB_ERR_INCOMPLETE', `the configuration to be written is not valid:\n  ${wrong.join('\n  ')}`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Returns what can be seen in the cluster, or in words why nothing can. */
async function look(kubeconfig: string, context: string | undefined): Promise<ClusterSight | string> {
  const kubernetes = { kubeconfig: resolve(kubeconfig), ...(context !== undefined && { context }) };
  try {
    const api = await openClusterApi({ config: { kubernetes }, env: process.env });
    try {
      return await lookAtCluster(api, AbortSignal.timeout(lookForMs));
    } finally {
      api.close();
    }
  } catch (error) {
    return `The cluster does not answer (${error instanceof FirebreakError ? error.detail : 'unknown reason'})`;
  }
}

/** With a wrong port, pods of an installation wait for the API server until Helm gives up. */
const portNotRead =
  'its port could not be read. The chart assumes 6443; if that is wrong, no pod reaches it. Look: kubectl --namespace default get endpointslices. Set: networkPolicy.apiServerPort';

function tell(sight: ClusterSight | string): void {
  if (typeof sight === 'string') {
    print(`${printable(sight)}: the cluster was not read.\n`);
    return;
  }
  const { network, sensors, gitops, temporal, version, apiServerPort } = sight;
  printFacts([
    ['Kubernetes', version],
    ['NetworkPolicies', 'by' in network ? `${network.by}: ${network.kind}` : network.kind],
    ['sensors', sensors.map(({ sensor, namespace, name }) => `${sensor} (${namespace}/${name})`).join(', ') || 'none found'],
    ['GitOps', gitops.join(', ') || 'none found'],
    ['Temporal', temporal ?? 'none found'],
    ['API server', apiServerPort === undefined ? portNotRead : `listens on port ${apiServerPort}`],
  ]);
  print();
}

function chosen(options: InitOptions, kubeconfig: string | undefined, sight: ClusterSight | undefined): NewInstallation {
  const { cluster = 'lab', temporal = usualTemporal(sight), context, person: people, slack: app, url, mode } = options;
  if (people.length === 0)
    throw new FirebreakError(
      'FB_ERR_INCOMPLETE',
      'name who decides with --person ID=NAME; critical decisions need at least two people',
    );
  return {
    cluster,
    ...(temporal === install ? { temporal: temporalHere, installTemporal: true } : { temporal }),
    ...(kubeconfig !== undefined && { kubeconfig: resolve(kubeconfig) }),
    ...(context !== undefined && { context }),
    people,
    ...(mode && { mode }),
    sensors: sight?.sensors ?? [],
    ...(sight?.apiServerPort !== undefined && { apiServerPort: sight.apiServerPort }),
    ...(app && { slack: app }),
    url: url ?? 'https://firebreak.example.com',
  };
}

function usualTemporal(sight: ClusterSight | undefined): string {
  return sight === undefined ? temporalHere : (sight.temporal ?? install);
}

/** Asks only for what no option has set. */
async function ask(
  options: InitOptions,
  kubeconfig: string | undefined,
  sight: ClusterSight | undefined,
): Promise<NewInstallation> {
  const terminal = askOnTerminal();
  try {
    const cluster = options.cluster ?? (await answer(terminal, 'Name of the cluster', 'lab'));
    const temporal = options.temporal ?? (await answer(terminal, `Address of Temporal, or ${install}`, usualTemporal(sight)));
    const people =
      options.person.length > 0
        ? options.person
        : await valid(
            terminal,
            'Who decides, at least two people (ada=Ada, grace=Grace; with Slack ada=Ada:U0123456789)',
            '',
            peopleOf,
          );
    const mode =
      options.mode ??
      (await valid(terminal, 'Mode: observe (only reports), ask (asks people), contain (cuts pods off)', firstMode, modeOf));
    const app =
      options.slack ??
      (await valid(terminal, 'Slack: ids of app, workspace, channel (empty: none)', '', (text) =>
        text === '' ? undefined : slack(text),
      ));
    return chosen({ ...options, cluster, temporal, person: people, mode, ...(app && { slack: app }) }, kubeconfig, sight);
  } finally {
    terminal.close();
  }
}

function peopleOf(text: string): readonly NewPerson[] {
  return text.split(',').reduce<readonly NewPerson[]>((before, one) => person(one, before), []);
}

type Terminal = ReturnType<typeof askOnTerminal>;

async function answer(terminal: Terminal, question: string, usual: string): Promise<string> {
  const typed = await terminal.ask(usual === '' ? `${question}: ` : `${question} [${usual}]: `);
  if (typed === undefined) throw new FirebreakError('FB_ERR_INCOMPLETE', 'the input ended before all questions were answered');
  return typed.trim() || usual;
}

/** Asks again until the answer can be read. */
async function valid<Read>(terminal: Terminal, question: string, usual: string, read: (text: string) => Read): Promise<Read> {
  for (;;) {
    const text = await answer(terminal, question, usual);
    try {
      return read(text);
    } catch (error) {
      if (!(error instanceof InvalidArgumentError)) throw error;
      process.stderr.write(`${error.message}\n`);
    }
  }
}

interface PersonKey {
  /** The person's id. */
  readonly person: string;
  /** PEM. */
  readonly publicKey: string;
  /** Empty if the key already existed. */
  readonly newFiles: readonly NewFile[];
}

/** Keys of the people who cannot answer in Slack: the existing key, or a new one. */
function keysOf(wanted: NewInstallation, out: string): readonly PersonKey[] {
  return withoutSlack(wanted).map((person) => {
    const name = publicKeyFile(person);
    const kept = join(out, name);
    if (existsSync(kept)) return { person: person.id, publicKey: readFileSync(kept, 'utf8'), newFiles: [] };
    const pair = generateKeyPairSync('ed25519');
    const publicKey = pair.publicKey.export({ format: 'pem', type: 'spki' }).toString();
    const privateKey = pair.privateKey.export({ format: 'pem', type: 'pkcs8' }).toString();
    return {
      person: person.id,
      publicKey,
      newFiles: [
        { name: `${person.id}.pem`, text: privateKey, isSecret: true },
        { name, text: publicKey },
      ],
    };
  });
}

function write(out: string, files: readonly NewFile[]): void {
  try {
    ensureFolderSync(out, 0o700);
    for (const { name, text, isSecret } of files) writeFileSync(join(out, name), text, isSecret ? { mode: 0o600 } : {});
  } catch (error) {
    throw new FirebreakError('FB_ERR_INCOMPLETE', `${out} cannot be written: ${writeProblem(error)}`);
  }
}

/** To be run in the parent of the new folder, which is where the chart is. */
function commandsFor({ temporal, installTemporal, slack: app }: NewInstallation, out: string, config: string): readonly string[] {
  const folder = basename(out);
  const isHere = !installTemporal && isOnThisMachine(temporal);
  if (isHere)
    return [
      `firebreak config check --connect --config ${config}`,
      `firebreak run --config ${config}`,
      `firebreak alerts send --sample falco --pod NAMESPACE/POD --config ${config}`,
    ];
  const inPod = 'kubectl --namespace firebreak exec firebreak-0 --container cell -- firebreak';
  return [
    'kubectl create namespace firebreak',
    `kubectl apply --filename ${folder}/secrets.yaml`,
    ...(app
      ? [
          'kubectl --namespace firebreak create secret generic firebreak-slack --from-literal=bot-token=xoxb-… --from-literal=app-token=xapp-…',
        ]
      : []),
    // The chart has no image of its own: one has to be built and pushed first.
    `helm install firebreak deploy/helm/firebreak --namespace firebreak --values ${folder}/values.yaml --set image.repository=REGISTRY/firebreak,image.digest=sha256:… --wait`,
    `${inPod} doctor --role cell`,
    `${inPod} alerts send --sample falco --pod NAMESPACE/POD`,
  ];
}
