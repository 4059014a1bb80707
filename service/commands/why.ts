import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { type Command, InvalidArgumentError } from 'commander';
import type { ContainmentResourceStatus, IncidentResourceStatus } from '../../core/cluster/cluster-resources.schema.ts';
import { FirebreakError } from '../../core/errors.ts';
import { createKubernetesApi, type KubernetesApi } from '../../integrations/kubernetes/client.ts';
import { KubernetesError } from '../../integrations/kubernetes/client-error.ts';
import { accessFromKubeconfig } from '../../integrations/kubernetes/kubeconfig.ts';
import { type Explanation, explainPod, type FoundResource, findResources, incidentTitle } from '../offline/explain.ts';
import { type DeskOptions, deskOf, withDesk } from './desk/desk-options.ts';
import { type CommonOptions, namespaceName, withExamples, withJson } from './options.ts';
import { print, printable, printFacts, printJson, printTable, severityText, styled } from './output.ts';

interface ClusterOptions extends CommonOptions {
  readonly kubeconfig?: string;
  readonly context?: string;
  readonly namespace?: string;
}

interface GetOptions extends ClusterOptions, DeskOptions {
  readonly allNamespaces?: true;
}

/** Adds the same options as kubectl: these commands use the rights of the caller, and nothing of Firebreak's. */
function withCluster(command: Command): Command {
  return withJson(command)
    .option('--kubeconfig <file>', 'the kubeconfig (default: `KUBECONFIG`, then ~/.kube/config)')
    .option('--context <name>', 'the context to use, instead of the current one')
    .option('-n, --namespace <name>', 'the namespace (default: that of the context)', namespaceName);
}

/** `firebreak why`: for the owner of an application who has only a kubeconfig. */
export function registerWhyCommand(program: Command): void {
  withExamples(
    withCluster(
      program
        .command('why')
        .description('show why a pod is cut off, until when, whom to ask, and how to release it, with nothing but a kubeconfig')
        .argument('<pod>', 'its name, or pod/NAME, or NAMESPACE/NAME', podWritten),
    ),
    [
      'kubectl firebreak why cart-5d4c9b7f6-x2x7k --namespace shop',
      'firebreak why shop/cart-5d4c9b7f6-x2x7k --context prod --json',
    ],
  ).action((pod: WrittenPod, options: ClusterOptions) => why(pod, options));
}

/** `firebreak get`: what is open and in force, according to the cluster. */
export function registerGetCommand(program: Command): void {
  withExamples(
    withDesk(
      withCluster(
        program
          .command('get')
          .description('list incidents and containments, all or those of one pod, with nothing but a kubeconfig')
          .argument('[pod]', 'only those of this pod: its name, or pod/NAME, or NAMESPACE/NAME', podWritten)
          .option('-A, --all-namespaces', 'in all namespaces'),
      ),
    ),
    [
      'kubectl firebreak get --namespace shop',
      'kubectl firebreak get cart-5d4c9b7f6-x2x7k --namespace shop',
      'firebreak get --all-namespaces --json',
    ],
  ).action(async (pod: WrittenPod | undefined, options: GetOptions, command: Command) => {
    if (pod && options.allNamespaces)
      throw new FirebreakError('FB_ERR_INCOMPLETE', 'a pod is in one namespace: leave out --all-namespaces');
    const at = deskOf(options, command, 'kubeconfig');
    const meant = within(options, pod);
    if (!at) return pod ? getPod(pod, meant) : get(meant);
    const { getAtDesk, getPodAtDesk } = await import('./desk/desk-in-force.ts');
    return pod ? getPodAtDesk(at, pod.name, meant) : getAtDesk(at, meant);
  });
}

interface WrittenPod {
  readonly namespace?: string;
  readonly name: string;
}

function podWritten(text: string): WrittenPod {
  const [name, namespace, ...rest] = text
    .replace(/^pods?\//, '')
    .split('/')
    .reverse();
  if (!name || rest.length > 0) throw new InvalidArgumentError('Write the name of a pod, or NAMESPACE/NAME.');
  return { name, ...(namespace && { namespace: namespaceName(namespace) }) };
}

/** A namespace that is written with the pod sets the option. */
function within<Options extends ClusterOptions>(options: Options, pod: WrittenPod | undefined): Options {
  if (pod?.namespace === undefined) return options;
  const { namespace, name } = pod;
  if (options.namespace !== undefined && options.namespace !== namespace)
    throw new FirebreakError('FB_ERR_INCOMPLETE', `${namespace}/${name} is not in ${options.namespace}: name only one namespace`);
  return { ...options, namespace };
}

async function inCluster(options: ClusterOptions, work: (api: KubernetesApi, namespace: string) => Promise<void>): Promise<void> {
  const file = options.kubeconfig ?? usualKubeconfig(process.env);
  if (options.kubeconfig === undefined && !existsSync(file))
    throw new FirebreakError('FB_ERR_INCOMPLETE', `kubeconfig ${file} not found: name one with --kubeconfig or in KUBECONFIG`);
  const access = await accessFromKubeconfig({
    file,
    ...(options.context !== undefined && { context: options.context }),
  });
  const api = createKubernetesApi({ access });
  try {
    await work(api, options.namespace ?? access.namespace ?? 'default');
  } finally {
    api.close();
  }
}

/** https://kubernetes.io/docs/concepts/configuration/organize-cluster-access-kubeconfig/ If it lists several files, they are not merged. */
function usualKubeconfig({ KUBECONFIG = '' }: NodeJS.ProcessEnv): string {
  const [file, ...others] = KUBECONFIG.split(delimiter).filter((one) => one !== '');
  if (others.length > 0)
    throw new FirebreakError('FB_ERR_INCOMPLETE', 'KUBECONFIG names several files: choose one with --kubeconfig');
  return file ?? join(homedir(), '.kube', 'config');
}

function why(pod: WrittenPod, options: ClusterOptions): Promise<void> {
  return inCluster(within(options, pod), async (api, namespace) => {
    const found = await explained(api, namespace, pod.name);
    if (options.json) printJson(found);
    else show(found);
  });
}

async function explained(api: KubernetesApi, namespace: string, name: string): Promise<Explanation> {
  const found = await explainPod({ api, namespace, name });
  const { exists, events, containments, incidents } = found;
  if (!exists && events.length + containments.length + incidents.length === 0)
    throw new FirebreakError('FB_ERR_NOT_FOUND', `there is no pod ${namespace}/${name}, and no incident names it`);
  return found;
}

function show({ pod, exists, marks, incidents, containments, beside, events, unseen }: Explanation): void {
  const isHeld = containments.length > 0 || marks !== undefined;
  const state = isHeld ? styled('red', 'is held by Firebreak') : 'is not held by Firebreak';
  print(`${styled('bold', `pod/${printable(pod)}`)} ${exists ? state : 'is gone'}`);
  for (const { status } of containments) printFacts(factsOf(status));
  if (containments.length === 0 && marks) {
    const { incident, severity, since, until, silence } = marks;
    printFacts([
      ['incident', printable(incident ?? 'not named')],
      ...(severity === undefined ? [] : [['severity', severityText(severity)] as const]),
      ...(since === undefined ? [] : [['since', printable(since)] as const]),
      ...(until === undefined ? [] : [['until', untilText(until, silence ?? 'ask')] as const]),
      ['undo', 'People decide: on its card in Slack, or with firebreak lease release.'],
    ]);
  }
  for (const one of incidents)
    if (!isHeld && one.status.state === 'Open')
      print(`Open: ${printable(`${incidentTitle(one)}, ${one.status.severity}, ${one.status.reached}. Ask: ${one.status.ask}`)}`);
  if (isHeld) print(`Without Firebreak: firebreak release --offline --kubeconfig FILE ${printable(pod)}`);
  for (const { status } of beside)
    print(`Also in force: ${printable(`${status.target.kind} ${status.target.name}, by ${status.action}`)}`);
  if (events.length > 0) print();
  for (const { at, reason, note } of events) print(`${printable(at)}  ${styled('bold', printable(reason))}  ${printable(note)}`);
  for (const what of unseen) print(styled('yellow', `Not seen: ${printable(what)}`));
  if (isHeld) print(styled('yellow', 'This is read from the cluster: anyone who may change the pod may have changed it.'));
}

function factsOf(status: ContainmentResourceStatus): readonly (readonly [string, string])[] {
  const { does, action, incident, severity, since, until, onExpiry, problems, ask, undo } = status;
  return [
    ['what', printable(`${does} (${action})`)],
    ['why', printable(`incident ${incident}`)],
    ['severity', severityText(severity)],
    ['since', printable(since)],
    ['until', until === undefined ? 'people end it' : untilText(until, onExpiry)],
    ...(problems.length === 0 ? [] : [['not as it should be', printable(problems.join('; '))] as const]),
    ['ask', printable(ask)],
    ['undo', printable(undo)],
  ];
}

function untilText(until: string, silence: 'ask' | 'release'): string {
  return printable(`${until}${silence === 'release' ? '' : ', and after that until somebody decides otherwise'}`);
}

function get(options: GetOptions): Promise<void> {
  return inCluster(options, async (api, usual) => {
    const place = options.allNamespaces ? {} : { namespace: usual };
    try {
      const incidents = await findResources<IncidentResourceStatus>({ api, kind: 'Incident', ...place });
      const containments = await findResources<ContainmentResourceStatus>({ api, kind: 'Containment', ...place });
      if (options.json) return printJson({ incidents, containments });
      if (incidents.length + containments.length === 0) return print('Nothing is open, and nothing is in force.');
      printFound(incidents, containments);
    } catch (error) {
      if (error instanceof KubernetesError && error.status === 404)
        throw new FirebreakError('FB_ERR_NOT_FOUND', 'this cluster has no definitions of incidents and containments', {
          remedy: 'Apply `deploy/crds`, or set `crds.install` of the chart. `firebreak get --desk URL` works without them.',
        });
      throw error;
    }
  });
}

/** `firebreak get POD`: what is open about a pod, and what holds it. */
function getPod({ name }: WrittenPod, options: GetOptions): Promise<void> {
  return inCluster(options, async (api, namespace) => {
    const { pod, exists, marks, incidents, containments: own, beside, unseen } = await explained(api, namespace, name);
    const titles = new Set(incidents.map(incidentTitle));
    const containments = [...own, ...beside.filter(({ status }) => titles.has(status.incident))];
    if (options.json) return printJson({ pod, exists, incidents, containments, unseen });
    if (incidents.length + containments.length > 0) printFound(incidents, containments);
    else if (!marks) print(`Nothing is open about pod/${printable(pod)}, and nothing holds it.`);
    if (marks && own.length === 0)
      print(`pod/${printable(pod)} has marks of a containment that is not shown: run firebreak why ${printable(pod)}`);
    if (!exists) print(`pod/${printable(pod)} is gone.`);
    for (const what of unseen) print(styled('yellow', `Not seen: ${printable(what)}`));
  });
}

function printFound(
  incidents: readonly FoundResource<IncidentResourceStatus>[],
  containments: readonly FoundResource<ContainmentResourceStatus>[],
): void {
  if (incidents.length > 0)
    printTable(incidents, [
      { title: 'incident', text: ({ namespace, status: { subject } }) => `${namespace}/${subject.kind}/${subject.name}` },
      { title: 'state', text: ({ status }) => status.state },
      {
        title: 'severity',
        text: ({ status }) => status.severity,
        style: ({ status }, text) => severityText(status.severity, text.length),
      },
      { title: 'reached', text: ({ status }) => status.reached },
      { title: 'verdict', text: ({ status }) => status.verdict },
      { title: 'opened', text: ({ status }) => status.openedAt },
      { title: 'ask', text: ({ status }) => status.ask },
    ]);
  if (incidents.length > 0 && containments.length > 0) print();
  if (containments.length > 0)
    printTable(containments, [
      { title: 'held', text: ({ namespace, status: { target } }) => `${target.kind} ${namespace}/${target.name}` },
      { title: 'by', text: ({ status }) => status.action },
      { title: 'until', text: ({ status }) => status.until ?? 'people end it' },
      { title: 'ask', text: ({ status }) => status.ask },
    ]);
}
