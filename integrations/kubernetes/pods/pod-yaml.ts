import type { V1Container, V1ObjectMeta, V1Probe } from '@kubernetes/client-node';
import { stringify } from 'yaml';
import { redactSecrets } from '../../../core/text/redact.ts';
import type { Jsonify, PodJson } from '../watch/projection.ts';

const hidden = '[redacted]';
const lastApplied = 'kubectl.kubernetes.io/last-applied-configuration';

/**
 * The pod as YAML for the evidence: complete, but without the values of its environment, anything that looks like a secret in commands, arguments, probes and
 * annotations, and the copy of all that in `last-applied-configuration`.
 */
export function redactedPodYaml(pod: PodJson): string {
  const copy: PodJson = structuredClone(pod);
  if (copy.metadata) copy.metadata = redactedMetadata(copy.metadata);
  const { spec } = copy;
  if (spec) {
    spec.containers = spec.containers.map(redactedContainer);
    if (spec.initContainers) spec.initContainers = spec.initContainers.map(redactedContainer);
    if (spec.ephemeralContainers) spec.ephemeralContainers = spec.ephemeralContainers.map(redactedContainer);
  }
  return stringify(copy, { lineWidth: 0 });
}

/** Removes the field managers, and anything that looks like a secret in the annotations. */
export function redactedMetadata(metadata: Jsonify<V1ObjectMeta>): Jsonify<V1ObjectMeta> {
  const { managedFields: _, annotations, ...rest } = metadata;
  const entries = Object.entries(annotations ?? {});
  const redacted = entries.map(([key, value]) => [key, key === lastApplied ? hidden : redactSecrets(value)]);
  return { ...rest, ...(annotations && { annotations: Object.fromEntries(redacted) }) };
}

type Redactable = Pick<
  Jsonify<V1Container>,
  'env' | 'command' | 'args' | 'lifecycle' | 'livenessProbe' | 'readinessProbe' | 'startupProbe'
>;

function redactedContainer<C extends Redactable>(container: C): C {
  const { lifecycle } = container;
  return {
    ...container,
    ...(container.env && { env: container.env.map((entry) => (entry.value ? { ...entry, value: hidden } : entry)) }),
    ...(container.command && { command: redactedArguments(container.command) }),
    ...(container.args && { args: redactedArguments(container.args) }),
    ...(container.livenessProbe && { livenessProbe: redactedHandler(container.livenessProbe) }),
    ...(container.readinessProbe && { readinessProbe: redactedHandler(container.readinessProbe) }),
    ...(container.startupProbe && { startupProbe: redactedHandler(container.startupProbe) }),
    ...(lifecycle && {
      lifecycle: {
        ...lifecycle,
        ...(lifecycle.postStart && { postStart: redactedHandler(lifecycle.postStart) }),
        ...(lifecycle.preStop && { preStop: redactedHandler(lifecycle.preStop) }),
      },
    }),
  };
}

function redactedHandler<H extends Pick<Jsonify<V1Probe>, 'exec' | 'httpGet'>>(handler: H): H {
  const { exec, httpGet } = handler;
  return {
    ...handler,
    ...(exec?.command && { exec: { ...exec, command: redactedArguments(exec.command) } }),
    ...(httpGet?.httpHeaders && {
      httpGet: { ...httpGet, httpHeaders: httpGet.httpHeaders.map((header) => ({ ...header, value: hidden })) },
    }),
  };
}

/** `--password`, `-p` and similar flags, whose value is the next argument. */
const secretFlag = /^-{1,2}[\w.-]*(?:pass|pwd|secret|token|credential|api-?_?key|auth)[\w.-]*$/i;

/** Removes secrets from a command line, even if a flag and its value are two arguments. */
function redactedArguments(words: readonly string[]): string[] {
  return words.map((word, index) => {
    const before = words[index - 1];
    return before !== undefined && secretFlag.test(before) ? hidden : redactSecrets(word);
  });
}
