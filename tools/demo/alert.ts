import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { FirebreakError } from '../../core/errors.ts';
import type { Pod } from './cluster.ts';
import { shop } from './shop.ts';

/** Captured byte for byte from a real Falco with its eBPF driver; it named no pod. */
const captured = join(import.meta.dirname, 'alerts', 'fileless-execution.jsonl');

/** Falco's alert, changed to be about one pod of the shop, and to the current time. All other bytes stay as they were sent. */
export function alertAbout(pod: Pod, now = new Date()): { readonly rule: string; readonly body: string } {
  const container = pod.spec.containers[0];
  const { repository, tag } = imageParts(container?.image ?? '');
  const time = `${now.toISOString().slice(0, -1)}000000`;
  const id = pod.status.containerStatuses?.[0]?.containerID?.replace(/^.*:\/\//, '').slice(0, 12);
  const fields = {
    hostname: pod.spec.nodeName,
    time: `${time}Z`,
    'k8s.ns.name': shop.namespace,
    'k8s.pod.name': pod.metadata.name,
    'container.name': container?.name,
    'container.image.repository': repository,
    'container.image.tag': tag,
    'container.id': id,
  };
  const texts = {
    k8s_ns_name: shop.namespace,
    k8s_pod_name: pod.metadata.name,
    container_name: container?.name,
    container_image_repository: repository,
    container_image_tag: tag,
    container_id: id,
  };
  let body = readFileSync(captured, 'utf8').trim();
  for (const [name, value] of Object.entries(fields))
    if (value !== undefined) body = replaced(body, `("${name}":)("[^"]*"|null)`, JSON.stringify(value));
  for (const [name, value] of Object.entries(texts))
    if (value !== undefined) body = replaced(body, `(\\b${name}=)([^\\s"]+)`, value);
  body = replaced(body, '("output":")(\\S+)(?=: )', `${time}+0000`);
  body = replaced(body, '("evt.time.iso8601":)(\\d+)', `${now.getTime()}000000`);
  const alert: { readonly rule: string } = JSON.parse(body);
  return { rule: alert.rule, body };
}

function replaced(text: string, pattern: string, by: string): string {
  const found = new RegExp(pattern);
  if (!found.test(text)) throw new Error(`the captured alert has no ${pattern}`);
  return text.replace(found, (_, before: string) => `${before}${by}`);
}

function imageParts(image: string): { readonly repository: string; readonly tag: string } {
  const at = image.lastIndexOf(':');
  return at > image.lastIndexOf('/')
    ? { repository: image.slice(0, at), tag: image.slice(at + 1) }
    : { repository: image, tag: 'latest' };
}

interface PostedAlert {
  /** By this machine's clock, which the API server shares. */
  readonly sentAt: number;
  /** Milliseconds until the intake confirmed that the alert is durable. */
  readonly ms: number;
}

/** Posts it as Falco does: with the secret in the path, since Falco's own output sends no headers. Throws FB_ERR_ALERT_INVALID, FB_ERR_UNAVAILABLE. */
export async function postAlert({
  intakeUrl,
  token,
  body,
}: {
  readonly intakeUrl: string;
  readonly token: string;
  readonly body: string;
}): Promise<PostedAlert> {
  const sentAt = Date.now();
  const started = performance.now();
  const response = await fetch(`${intakeUrl}/v1/alerts/falco/${encodeURIComponent(token)}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json; charset=utf-8', 'user-agent': 'falcosecurity/falco' },
    body,
    signal: AbortSignal.timeout(30_000),
  }).catch(() => undefined);
  const ms = performance.now() - started;
  if (!response) throw new FirebreakError('FB_ERR_UNAVAILABLE', 'the intake did not answer');
  const text = await response.text();
  if (response.status !== 200)
    throw new FirebreakError('FB_ERR_ALERT_INVALID', `the intake returned ${response.status}: ${text.slice(0, 300)}`);
  return { sentAt, ms };
}
