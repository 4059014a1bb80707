import { readFileSync } from 'node:fs';
import { projectRoot } from '../../../../service/process/project-root.ts';
import { imageOf, type Workload } from './cluster.ts';

const captured = (file: string): Falco => JSON.parse(readFileSync(`${projectRoot()}/test/fixtures/alerts/falco/${file}`, 'utf8'));

export interface Falco {
  readonly rule: string;
  readonly output_fields: Readonly<Record<string, unknown>>;
}

/** As worth asking people about, which a notice of one shell is not. */
const asked = { priority: 'Error' } as const;

const samples = {
  binary: captured('05-fileless_execution_via_memfd_create.json'),
  shell: { ...captured('06-run_shell_untrusted.json'), ...asked },
  read: { ...captured('01-read_sensitive_file_untrusted.json'), ...asked },
} as const;

export type Sample = keyof typeof samples;

let last = 0n;

/** A time that no other alert has, in Falco's nine digits: otherwise it would be taken for a redelivery of the same alert. */
function freshTime(): string {
  const now = BigInt(Date.now()) * 1_000_000n;
  last = now > last ? now : last + 1n;
  const seconds = new Date(Number(last / 1_000_000n)).toISOString().slice(0, 19);
  return `${seconds}.${String(last % 1_000_000_000n).padStart(9, '0')}Z`;
}

export interface AlertOptions {
  readonly commandLine?: string;
  readonly priority?: string;
  /** `repository:tag` of the image that runs there. Default: the workload's own. */
  readonly image?: string;
  /** The user that the sensor names as the actor. */
  readonly user?: string;
}

/** An alert captured from a real Falco, changed to be about a workload's pod. */
export function alertAbout({ namespace, name, pod }: Workload, sample: Sample = 'binary', options: AlertOptions = {}): object {
  const { commandLine, priority, user, image = imageOf({ namespace, name }) } = options;
  const [repository, tag] = image.split(':');
  const from = samples[sample];
  return {
    ...from,
    ...(priority !== undefined && { priority }),
    time: freshTime(),
    output_fields: {
      ...from.output_fields,
      'k8s.ns.name': namespace,
      'k8s.pod.name': pod,
      ...(commandLine !== undefined && { 'proc.cmdline': commandLine }),
      ...(user !== undefined && { 'user.name': user }),
      'container.image.repository': repository,
      'container.image.tag': tag,
    },
  };
}

/** A composed or captured alert, changed to be about a workload's pod, now. */
export function alertNow({ namespace, name, pod }: Workload, { output_fields: fields, ...alert }: Falco): object {
  const [repository, tag] = imageOf({ namespace, name }).split(':');
  const { 'container.id': _, 'container.name': __, 'evt.time': ___, ...rest } = fields;
  const place = {
    'k8s.ns.name': namespace,
    'k8s.pod.name': pod,
    'container.image.repository': repository,
    'container.image.tag': tag,
  };
  return { ...alert, time: freshTime(), output_fields: { ...rest, ...place } };
}

/** The values of sample payloads that say where it was, and the kinds that say when and in which container. */
const samplePlaces = { namespace: 'shop', name: 'cart', pods: ['cart-5d4c9b7f6-x2x7k', 'cart-1'] } as const;
const sampleUid = '1f0f6b0e-6c6f-4c39-9a5a-3a1b1f6f2d11';
const timeText = /^\d{4}-\d\d-\d\dT[\d:.]+Z$/;
const containerId = /^([a-z]+:\/\/)?[0-9a-f]{12,64}$/;

/** A payload of any sensor, changed to be about a workload's pod, now. Its container's id goes: it is none of this pod's. */
export function sentNow(payload: object, { namespace, name, pod, uid }: Workload & { readonly uid: string }): object {
  const time = freshTime();
  const image = imageOf({ namespace, name });
  const changed = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(changed);
    if (typeof value === 'object' && value !== null)
      return Object.fromEntries(
        Object.entries(value)
          .filter(([, one]) => typeof one !== 'string' || !containerId.test(one))
          .map(([key, one]) => [key, changed(one)]),
      );
    if (typeof value !== 'string') return value;
    if (value === samplePlaces.namespace) return namespace;
    if (value === samplePlaces.name) return name;
    if (value === sampleUid) return uid;
    if (samplePlaces.pods.some((one) => one === value)) return pod;
    if (timeText.test(value)) return time;
    return /shop\/cart(:[\d.]+)?$/.test(value) ? (value.includes(':') ? image : image.replace(/:1$/, '')) : value;
  };
  return Object(changed(payload));
}

export interface Posted {
  readonly status: number;
  readonly text: string;
  readonly ms: number;
}

/** Posts alerts as one body; several are sent as one object per line. Status 0 if nobody answers, with the reason as text. */
export async function postAlerts(
  url: string,
  token: string,
  alerts: readonly object[],
  path = '/v1/alerts/falco',
): Promise<Posted> {
  const started = performance.now();
  try {
    const response = await fetch(`${url}${path}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: alerts.map((alert) => JSON.stringify(alert)).join('\n'),
      signal: AbortSignal.timeout(120_000),
    });
    return { status: response.status, text: await response.text(), ms: performance.now() - started };
  } catch (error) {
    const { cause = '' } = error instanceof Error ? error : {};
    return { status: 0, text: `${String(error)} ${String(cause)}`, ms: performance.now() - started };
  }
}
