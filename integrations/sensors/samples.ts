import { randomUUID } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isObject } from '../../core/text/plain-json.ts';

/** An alert as its sensor sends it. */
export interface SamplePayload {
  readonly sensor: string;
  readonly payload: unknown;
}

/** The pod that a sample should be about; unknown fields are left out of the alert. */
export interface SamplePod {
  readonly namespace: string;
  readonly name: string;
  readonly uid?: string;
  readonly node?: string;
  readonly container?: {
    readonly name: string;
    /** `registry.example/shop/cart:1.4.2`. */
    readonly image: string;
    /** Without the runtime prefix. */
    readonly id?: string;
  };
}

/** Every sample that comes with Firebreak, in a fixed order. */
export function samplePayloads(): readonly SamplePayload[] {
  const folder = join(import.meta.dirname, 'samples');
  return readdirSync(folder)
    .sort()
    .flatMap((file) => {
      const payloads: unknown = JSON.parse(readFileSync(join(folder, file), 'utf8'));
      const sensor = file.replace(/\.json$/, '');
      return Array.isArray(payloads) ? payloads.map((payload: unknown) => ({ sensor, payload })) : [];
    });
}

/** Marks a sample as a test, if its sensor has a field for free text. */
export const testMark = 'firebreak-test';

/**
 * The sample as its sensor would send it now about that pod, marked as a test.
 * @throws TypeError for a sensor without a sample
 */
export function sampleAbout({ sensor, payload }: SamplePayload, pod: SamplePod, now = new Date()): unknown {
  const changes = changesOf[sensor];
  if (!changes) throw new TypeError(`there is no sample of ${sensor}`);
  return changes(pod, now).reduce<unknown>((changed, [path, value]) => withValue(changed, path, value), payload);
}

/** A path in the payload, and its new value; undefined removes it. */
type Change = readonly [path: readonly string[], value: unknown];

const changesOf: Readonly<Record<string, (pod: SamplePod, now: Date) => readonly Change[]>> = {
  falco: ({ namespace, name, uid, node, container }, now) => {
    const at = imageParts(container?.image);
    const fields = {
      'k8s.ns.name': namespace,
      'k8s.pod.name': name,
      'k8s.pod.uid': uid,
      'container.id': container?.id?.slice(0, 12),
      'container.name': container?.name,
      'container.image.repository': at?.repository,
      'container.image.tag': at?.tag,
    };
    return [
      [['time'], now.toISOString()],
      [['hostname'], node],
      [['tags'], marked],
      ...Object.entries(fields).map(([field, value]): Change => [['output_fields', field], value]),
    ];
  },
  tetragon: ({ namespace, name, uid, node, container }, now) => {
    const pod = ['process_kprobe', 'process', 'pod'];
    return [
      [['time'], now.toISOString()],
      [['node_name'], node],
      [['process_kprobe', 'tags'], marked],
      [[...pod, 'namespace'], namespace],
      [[...pod, 'name'], name],
      [[...pod, 'uid'], uid],
      [[...pod, 'workload'], undefined],
      [[...pod, 'workload_kind'], undefined],
      [[...pod, 'container'], container && { id: container.id, name: container.name, image: { name: container.image } }],
      [['process_kprobe', 'process', 'docker'], container?.id?.slice(0, 15)],
    ];
  },
  tracee: ({ namespace, name, uid, container }, now) => [
    [['timestamp'], now.getTime() * 1e6],
    [['hostName'], name],
    [['containerId'], container?.id],
    [['container'], container && { id: container.id, name: container.name, image: container.image }],
    [['kubernetes'], { podName: name, podNamespace: namespace, podUID: uid }],
    [['metadata', 'Tags'], marked],
  ],
  kubearmor: ({ namespace, name, node, container }, now) => [
    [['timestamp'], Math.floor(now.getTime() / 1_000)],
    [['updatedTime'], now.toISOString()],
    [['hostName'], node],
    [['namespaceName'], namespace],
    [['podName'], name],
    [['owner'], undefined],
    [['labels'], undefined],
    [['containerID'], container?.id],
    [['containerName'], container?.name],
    [['containerImage'], container?.image],
    [['tags'], (tags: unknown) => [tags, testMark].join(',')],
  ],
  'kubernetes-audit': ({ namespace, name }, now) => [
    [['auditID'], randomUUID()],
    [['requestURI'], `/api/v1/namespaces/${namespace}/pods/${name}/exec?command=sh&stdin=true&tty=true`],
    [['objectRef', 'namespace'], namespace],
    [['objectRef', 'name'], name],
    [['requestReceivedTimestamp'], now.toISOString()],
    [['stageTimestamp'], now.toISOString()],
    [['annotations', 'firebreak.dev/test'], testMark],
  ],
};

function marked(tags: unknown): readonly unknown[] {
  return [...(Array.isArray(tags) ? tags : []), testMark];
}

/** `value` may be a function of the existing value. */
function withValue(object: unknown, [key, ...rest]: readonly string[], value: unknown): unknown {
  if (key === undefined) return typeof value === 'function' ? value(object) : value;
  const fields = isObject(object) ? object : {};
  return { ...fields, [key]: withValue(fields[key], rest, value) };
}

function imageParts(image: string | undefined): { readonly repository: string; readonly tag?: string } | undefined {
  if (image === undefined) return undefined;
  const [named = ''] = image.split('@');
  const at = named.lastIndexOf(':');
  return at > named.lastIndexOf('/') ? { repository: named.slice(0, at), tag: named.slice(at + 1) } : { repository: named };
}
