import type { Command } from 'commander';
import { names } from '../../../core/cluster/labels.ts';
import { FirebreakError } from '../../../core/errors.ts';
import { shortIncidentId } from '../../../core/incident/incident.ts';
import { boundedFetch } from '../../../integrations/bounded-fetch.ts';
import { type KubernetesApi, pathOf } from '../../../integrations/kubernetes/client.ts';
import type { PodJson } from '../../../integrations/kubernetes/watch/projection.ts';
import { type SamplePayload, type SamplePod, sampleAbout, samplePayloads } from '../../../integrations/sensors/samples.ts';
import { configToUse } from '../../config/left-out.ts';
import type { Config } from '../../config/load.ts';
import { unknownName } from '../../config/nearest.ts';
import { resolveIntakeToken } from '../../config/secrets.ts';
import { parseAlerts } from '../../intake/read/parse.ts';
import type { ItemAnswer } from '../../intake/read/receive.ts';
import { openClusterApi } from '../../process/cluster-api.ts';
import { type ConfiguredOptions, withConfig, withExamples } from '../options.ts';
import { print, printable, printJson, printTable } from '../output.ts';

interface SendOptions extends ConfiguredOptions {
  readonly sample?: string;
  readonly list?: true;
  readonly pod?: string;
  readonly to?: string;
  readonly tokenEnv?: string;
}

interface NamedSample extends SamplePayload {
  /** `falco/terminal-shell-in-container`. */
  readonly name: string;
  readonly rule: string;
  readonly severity: string;
}

const answerWithinMs = 10_000;
const largestAnswer = 1_048_576;

/** `firebreak alerts send`: sends a sensor's alert about a pod, so that a first alert goes the whole way. */
export function registerSendCommand(alerts: Command): void {
  withExamples(
    withConfig(
      alerts
        .command('send')
        .description('send a sensor’s sample alert about a pod, as a test: playbooks act on that pod')
        .option('--list', 'list the samples without sending one')
        .option('--sample <name>', 'the sample: a name from --list, or a sensor for its first one')
        .option('--pod <namespace/name>', 'the pod that it is about, or the beginning of its name')
        .option('--to <url>', 'the intake (default: that of the configuration, on this machine)')
        .option(
          '--token-env <name>',
          'the environment variable with the token (default: the first token of the configuration). With this and --to, no configuration is read, and --pod is not checked',
        ),
    ),
    [
      'firebreak alerts send --list',
      'firebreak alerts send --sample falco --pod shop/cart',
      'FALCO_TOKEN=… firebreak alerts send --sample falco --pod shop/cart-5d4c9b7f6-x2x7k --to https://firebreak.example:8765 --token-env FALCO_TOKEN',
    ],
  ).action(async (options: SendOptions, command: Command) => {
    if (options.list) return list(options);
    if (options.sample === undefined || options.pod === undefined)
      command.error('error: --sample and --pod are needed, or --list', { exitCode: 2 });
    await send(options, options.sample, options.pod);
  });
}

function namedSamples(): readonly NamedSample[] {
  const text = new TextEncoder();
  return samplePayloads().flatMap((sample) => {
    const parsed = parseAlerts(text.encode(JSON.stringify(sample.payload)), { cluster: 'test' });
    const [item] = parsed.ok ? parsed.items : [];
    if (item?.kind !== 'alert') return [];
    const { rule, severity } = item.alert;
    const slug = rule.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-');
    return [{ ...sample, name: `${sample.sensor}/${slug}`, rule, severity }];
  });
}

function list({ json }: SendOptions): void {
  const samples = namedSamples();
  if (json) printJson(samples.map(({ name, sensor, rule, severity }) => ({ name, sensor, rule, severity })));
  else
    printTable(samples, [
      { title: 'SAMPLE', text: ({ name }) => name },
      { title: 'SEVERITY', text: ({ severity }) => severity },
      { title: 'RULE', text: ({ rule }) => rule },
    ]);
}

function chosen(name: string): NamedSample {
  const samples = namedSamples();
  const found = samples.find((sample) => sample.name === name || sample.sensor === name);
  if (found) return found;
  throw unknownName({
    what: 'sample',
    written: name,
    known: [...new Set(samples.flatMap((sample) => [sample.sensor, sample.name]))],
    listedBy: 'firebreak alerts send --list',
  });
}

async function send(options: SendOptions, wanted: string, podName: string): Promise<void> {
  const sample = chosen(wanted);
  const config = options.to !== undefined && options.tokenEnv !== undefined ? undefined : configToUse(options.config);
  const [namespace, name, ...others] = podName.split('/');
  if (!namespace || !name || others.length > 0)
    throw new FirebreakError('FB_ERR_INCOMPLETE', `--pod ${podName} is invalid: use NAMESPACE/NAME, such as shop/cart`);
  const pod = config ? await podInCluster(config, { namespace, name }) : { namespace, name };
  const address = addressOf(options.to ?? ownIntake(config), sample.sensor);
  const { status, answer } = await post(address, tokenFor(options, config), JSON.stringify(sampleAbout(sample, pod)));
  const [item] = answer.items ?? [];
  const isTaken = status === 200 && item !== undefined && (item.status === 'accepted' || item.status === 'duplicate');
  if (!isTaken) process.exitCode = 1;
  if (options.json)
    return printJson({ sample: sample.name, pod: { namespace: pod.namespace, name: pod.name }, status, ...answer });
  const what = `${sample.name} about pod ${pod.namespace}/${pod.name}`;
  if (!isTaken) return print(printable(`${what}: the intake did not accept it (${status}): ${whyNot(item) ?? answer.reason}`));
  const incident = config ? shortIncidentId(item.incident, config.cluster) : item.incident;
  print(printable(`${what}: accepted. Incident: ${incident}`));
  print(printable(`Next: firebreak incidents show ${incident}`));
}

/**
 * Returns the pod as its sensor would describe it: the one with that name, or the first running one whose name begins with it, of its workload if possible.
 * Returns it as named if the API server cannot be asked, since the intake may be able to resolve it.
 */
async function podInCluster(config: Config, named: SamplePod): Promise<SamplePod> {
  let api: KubernetesApi | undefined;
  try {
    api = await openClusterApi({ config, env: process.env });
    const { items = [] } = await api.json<{ readonly items?: readonly PodJson[] }>({
      method: 'GET',
      path: pathOf({ resource: 'pods', namespace: named.namespace }),
      what: `list pods in ${named.namespace}`,
    });
    const nameOf = (pod: PodJson): string => pod.metadata?.name ?? '';
    const pod =
      items.find((one) => nameOf(one) === named.name) ??
      items
        .filter((one) => nameOf(one).startsWith(`${named.name}-`) && one.status?.phase === 'Running')
        .sort((one, other) => Number(isCutOff(one)) - Number(isCutOff(other)))[0];
    if (pod) return knownPod(pod, named.namespace);
  } catch {
    process.stderr.write('The API server was not asked about the pod: the name is used as given.\n');
    return named;
  } finally {
    api?.close();
  }
  throw new FirebreakError(
    'FB_ERR_NOT_FOUND',
    `there is no pod ${named.name} in ${named.namespace}, and no running pod there has a name that begins with ${named.name}-`,
  );
}

/** A quarantine removes a pod from its workload: an alert about it would be about the pod alone. */
function isCutOff({ metadata }: PodJson): boolean {
  return (
    metadata?.labels?.[names.quarantineLabel] !== undefined || !metadata?.ownerReferences?.some(({ controller }) => controller)
  );
}

function knownPod({ metadata, spec, status }: PodJson, namespace: string): SamplePod {
  const container = spec?.containers?.[0];
  const id = status?.containerStatuses?.find(({ name }) => name === container?.name)?.containerID?.replace(/^.*:\/\//, '');
  return {
    namespace,
    name: metadata?.name ?? '',
    ...(metadata?.uid !== undefined && { uid: metadata.uid }),
    ...(spec?.nodeName !== undefined && { node: spec.nodeName }),
    ...(container && {
      container: { name: container.name, image: container.image ?? '', ...(id !== undefined && { id }) },
    }),
  };
}

/** Address on this machine: an intake that listens everywhere listens here too. */
function ownIntake(config: Config | undefined): string {
  const { listen, tls } = config?.intake ?? {};
  if (!listen) throw new FirebreakError('FB_ERR_INCOMPLETE', 'name the intake with --to');
  const host = ['0.0.0.0', '::', ''].includes(listen.host) ? '127.0.0.1' : listen.host;
  return `${tls ? 'https' : 'http'}://${host.includes(':') ? `[${host}]` : host}:${listen.port}`;
}

/** Appends the sensor's own path; a URL that already contains an alerts path is used unchanged. */
function addressOf(to: string, sensor: string): string {
  if (!URL.canParse(to))
    throw new FirebreakError('FB_ERR_INCOMPLETE', '--to is not a URL: use one such as http://127.0.0.1:8765');
  const url = new URL(to);
  if (!url.pathname.includes('/v1/alerts')) url.pathname = `${url.pathname.replace(/\/$/, '')}/v1/alerts/${sensor}`;
  return url.href;
}

function tokenFor({ tokenEnv }: SendOptions, config: Config | undefined): string {
  if (tokenEnv !== undefined) {
    const token = process.env[tokenEnv];
    if (token) return token;
    throw new FirebreakError('FB_ERR_INCOMPLETE', `the environment variable ${tokenEnv} is not set`);
  }
  if (!config) throw new FirebreakError('FB_ERR_INCOMPLETE', 'name the variable that holds the token with --token-env');
  return resolveIntakeToken({ config, env: process.env });
}

interface Answer {
  readonly items?: readonly ItemAnswer[];
  readonly reason?: string;
}

const noIntake: Answer = { reason: 'its answer is not JSON: this is not an intake' };

async function post(address: string, token: string, body: string): Promise<{ readonly status: number; readonly answer: Answer }> {
  const asked: RequestInit = {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
    body,
    redirect: 'error',
    signal: AbortSignal.timeout(answerWithinMs),
  };
  const response = await boundedFetch(address, asked, largestAnswer).catch(() => undefined);
  if (!response) throw new FirebreakError('FB_ERR_UNAVAILABLE', `no intake answers at ${new URL(address).origin}`);
  const answer = (await response.json().catch(() => noIntake)) as Answer;
  return { status: response.status, answer };
}

/** The reason, in the intake's words. */
function whyNot(item: ItemAnswer | undefined): string | undefined {
  if (item === undefined) return undefined;
  return 'reason' in item ? item.reason : item.status;
}
