import type { StepContext } from '../../core/action/action.ts';
import { tools as declared } from '../../core/actions/in-container-rights.ts';
import type { ResolvedPod } from '../../core/actions/pod.schema.ts';
import { stepHash } from '../../core/cluster/labels.ts';
import { FirebreakError } from '../../core/errors.ts';
import type { Artefact, EvidenceClass } from '../../core/evidence/evidence.ts';
import { redactSecrets } from '../../core/text/redact.ts';
import type { KubernetesApi } from '../../integrations/kubernetes/client.ts';
import { type RunningContainer, runningContainer, type WantedContainer } from '../../integrations/kubernetes/pods/containers.ts';
import { type PodCommand, podCommand } from '../../integrations/kubernetes/pods/pod-command.ts';
import { readSamePod } from '../../integrations/kubernetes/pods/pods.ts';
import { startTools, type ToolsContainer, toolsContainersOf } from '../../integrations/kubernetes/pods/tools-container.ts';
import { isQuarantined } from '../../integrations/kubernetes/policies/network-policies.ts';
import type { EvidenceWriter } from './evidence-writer.ts';
import { toolsImageOf } from './tools-image.ts';

/** What is needed to work inside a suspect container. */
export interface ToolsParts {
  readonly api: KubernetesApi;
  /** Image of our own tools, by digest; absent if none is configured. */
  readonly toolsImage: string | undefined;
}

/** The tools next to a container, for as long as a step works there. */
interface InContainer {
  readonly container: RunningContainer;
  readonly tools: ToolsContainer;
  /** Whether the pod was already cut off from the network: the standing policy selects it. */
  readonly isCutOff: boolean;
  /** Runs one command of the tools, which gets the container's id; see `deploy/forensics/tools`. */
  tool(command: string, options?: ToolOptions): PodCommand;
}

interface ToolOptions {
  readonly arguments?: readonly string[];
  readonly timeoutMs?: number;
  readonly idleMs?: number;
}

/** What an artefact from a container says about its origin: the run of the container was the same before and after. */
interface ContainerFacts {
  readonly pod: ResolvedPod;
  readonly container: RunningContainer;
  readonly seenBefore: string;
  readonly seenAfter: string;
  readonly tools: ToolsContainer & { readonly image: string; readonly commands: readonly (readonly string[])[] };
}

const defaultLife = 600;
const startsWithinMs = 45_000;

/** Ephemeral containers have no prefix that a tenant could not use: the name is for people, and to find the step's own container again. */
const baseName = (key: string): string => `${declared.namePrefix}${stepHash(key).slice(0, 12)}`;

/** What a plan says about it. @throws as `runningContainer`; FB_ERR_REFUSED if no tools are configured. */
export async function planInContainer(options: {
  readonly parts: ToolsParts;
  readonly pod: ResolvedPod;
  readonly wanted: WantedContainer;
  readonly signal: AbortSignal;
}) {
  const { parts, pod, wanted, signal } = options;
  const image = toolsImageOf(parts.toolsImage);
  const name = `pod/${pod.namespace}/${pod.name}`;
  const container = runningContainer(await readSamePod({ api: parts.api, pod, signal }), wanted);
  return {
    container,
    target: { name, uid: pod.uid },
    changes: [
      {
        target: name,
        what: `adds an ephemeral container of ${image} next to ${container.name}, which exits on its own and stays in the pod’s spec`,
      },
    ],
    blastRadius: [name],
    notes: wanted.id === undefined ? ['The alert names no container by id: its current run is meant.'] : [],
  };
}

/** The plan of an action that only looks, with the tools. */
export async function planLookInside({
  notes,
  ...where
}: Parameters<typeof planInContainer>[0] & { readonly notes: readonly string[] }) {
  const { container: _, ...plan } = await planInContainer(where);
  return { ...plan, notes: [...plan.notes, ...notes] };
}

/** Whether this step has already added its tools to the pod. */
export async function hasToolsIn(options: {
  readonly parts: ToolsParts;
  readonly pod: ResolvedPod;
  readonly context: StepContext;
}): Promise<boolean> {
  const { parts, pod, context } = options;
  const found = await readSamePod({ api: parts.api, pod, signal: context.signal });
  return toolsContainersOf(found, baseName(context.key)).length > 0;
}

/**
 * Works inside a suspect container with our own tools, and only with these: started once per step, by its key.
 * @throws FB_ERR_CONTAINER_REPLACED if the container is not, or no longer, the intended one: whatever was read may be its successor's.
 */
export async function inContainer<T>(options: {
  readonly parts: ToolsParts;
  readonly pod: ResolvedPod;
  readonly wanted: WantedContainer;
  readonly context: StepContext;
  /** Capabilities in addition to those that all tools get. */
  readonly more?: readonly string[];
  /** Seconds after which the tools end by themselves. */
  readonly livesSeconds?: number;
  /** The work itself may end the container. */
  readonly mayEnd?: true;
  readonly work: (inside: InContainer) => Promise<T>;
}): Promise<{ readonly result: T; readonly facts: ContainerFacts }> {
  const { parts, pod, wanted, context, more = [], livesSeconds = defaultLife } = options;
  const { api } = parts;
  const { signal, key } = context;
  const image = toolsImageOf(parts.toolsImage);
  const seenBefore = new Date().toISOString();
  const found = await readSamePod({ api, pod, signal });
  const container = runningContainer(found, wanted);
  const isCutOff = isQuarantined(found.metadata?.labels ?? {});
  const mustBeSame = async (): Promise<void> => {
    const now = runningContainer(await readSamePod({ api, pod, signal }), { id: container.id });
    if (now.restartCount !== container.restartCount || now.startedAt !== container.startedAt)
      throw new FirebreakError('FB_ERR_CONTAINER_REPLACED', `container replaced: ${container.name} was restarted meanwhile`);
  };
  const commands: (readonly string[])[] = [];
  try {
    const tools = await startTools({
      api,
      pod,
      baseName: baseName(key),
      image,
      beside: container.name,
      capabilities: [...declared.capabilities, ...more],
      livesSeconds,
      startsWithinMs,
      signal,
    });
    const tool: InContainer['tool'] = (name, { arguments: given = [], timeoutMs = 60_000, idleMs = 30_000 } = {}) => {
      const command = [declared.program, name, '-container', container.id, ...given];
      commands.push(command);
      const { namespace, name: podName } = pod;
      return podCommand({ api, namespace, pod: podName, container: tools.name, command, timeoutMs, idleMs, signal });
    };
    const result = await options.work({ container, tools, isCutOff, tool });
    if (!options.mayEnd) await mustBeSame();
    const seenAfter = new Date().toISOString();
    return { result, facts: { pod, container, seenBefore, seenAfter, tools: { ...tools, image, commands } } };
  } catch (error) {
    // That the container was replaced says more than the error by which this was noticed.
    if (!signal.aborted) await mustBeSame();
    throw error;
  }
}

/** The whole output of a command, up to a number of bytes. @throws FB_ERR_REFUSED if it is more. */
export async function outputOf(command: PodCommand, { mostBytes }: { readonly mostBytes: number }): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const part of command.stdout) {
    size += part.length;
    if (size > mostBytes) throw new FirebreakError('FB_ERR_REFUSED', `the tools wrote more than ${mostBytes} bytes`);
    parts.push(part);
  }
  mustHaveEnded(command);
  return Buffer.concat(parts);
}

/** Stores which run of the container it was, and what was done there, next to the other artefacts. */
export async function keepFacts(
  { keep }: Pick<EvidenceWriter, 'keep'>,
  kind: EvidenceClass,
  facts: ContainerFacts,
): Promise<void> {
  const what = { name: 'container.json', mediaType: 'application/json', tool: 'kubernetes-api' };
  await keep(kind, what, JSON.stringify(facts, null, 2));
}

/** How an artefact of the tools names the command that they were given. */
export function commandOf({ tools: { commands } }: ContainerFacts): Pick<Artefact, 'command'> {
  const command = commands.at(-1);
  return command ? { command } : {};
}

const exits: Readonly<Record<number, 'FB_ERR_CONTAINER_REPLACED' | 'FB_ERR_REFUSED' | 'FB_ERR_TARGET_REPLACED'>> = {
  3: 'FB_ERR_CONTAINER_REPLACED',
  5: 'FB_ERR_REFUSED',
  6: 'FB_ERR_TARGET_REPLACED',
};

/** @throws what the tools' exit code means; see `deploy/forensics/tools/main.go`. */
export function mustHaveEnded(command: PodCommand): void {
  const { exitCode, stderr } = command.end();
  if (exitCode === 0) return;
  const last = redactSecrets(stderr.trimEnd().split('\n').at(-1) ?? '').slice(0, 300);
  throw new FirebreakError(exits[exitCode] ?? 'FB_ERR_UNAVAILABLE', `the tools exited with ${exitCode}: ${last}`);
}
