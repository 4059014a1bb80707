import { readFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { join } from 'node:path';
import type { DemoSettings } from '../../tools/demo/settings.ts';
import { wallClock } from './clock.ts';
import type { PodTarget } from './stage.ts';

const captured = join(
  import.meta.dirname,
  '..',
  '..',
  'test',
  'fixtures',
  'alerts',
  'falco',
  '05-fileless_execution_via_memfd_create.json',
);

const { output_fields: fields, ...alert } = JSON.parse(readFileSync(captured, 'utf8'));

type AlertedPod = Pick<PodTarget, 'namespace' | 'name'>;

interface AlertChanges {
  readonly rule?: string;
  readonly priority?: string;
  readonly time?: string;
}

/** What Falco sent, but about this pod and now. */
export function alertAbout({ namespace, name }: AlertedPod, over: AlertChanges = {}): string {
  return JSON.stringify({
    ...alert,
    time: new Date().toISOString().replace('Z', '000000Z'),
    ...over,
    output_fields: { ...fields, 'k8s.ns.name': namespace, 'k8s.pod.name': name },
  });
}

/** The current second, with the number as its nanoseconds: otherwise identical alerts are not taken for repeats. */
export function timeOf(number: number): string {
  return `${new Date().toISOString().slice(0, 19)}.${String(number % 1e9).padStart(9, '0')}Z`;
}

/** Posts to the intake over connections that are already open. */
export class AlertSender {
  readonly #url: URL;
  readonly #token: string;
  readonly #agent: Agent;

  constructor({ intakeUrl, falcoToken }: DemoSettings, connections = 100) {
    this.#url = new URL('/v1/alerts/falco', intakeUrl);
    this.#token = falcoToken;
    this.#agent = new Agent({ keepAlive: true, maxSockets: connections, maxFreeSockets: connections });
  }

  /** Opens the connections. */
  async warm(connections: number): Promise<void> {
    await Promise.all(Array.from({ length: connections }, () => this.#call('GET', '/readyz')));
  }

  /** Returns the status of the intake's answer. */
  post(body: string): Promise<number> {
    return this.#call('POST', this.#url.pathname, body);
  }

  /** Posts an alert about this pod; returns when it was sent, and how many milliseconds the answer took. Throws if it is not accepted. */
  async alert(pod: AlertedPod, over?: AlertChanges): Promise<{ readonly sentAt: number; readonly answered: number }> {
    const body = alertAbout(pod, over);
    const sentAt = wallClock();
    const status = await this.post(body);
    const answered = wallClock() - sentAt;
    if (status !== 200) throw new Error(`the intake returned ${status}`);
    return { sentAt, answered };
  }

  close(): void {
    this.#agent.destroy();
  }

  #call(method: string, path: string, body = ''): Promise<number> {
    return new Promise((resolve, reject) => {
      const headers = {
        authorization: `Bearer ${this.#token}`,
        ...(body !== '' && { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }),
      };
      const { hostname, port } = this.#url;
      const call = request({ agent: this.#agent, hostname, port, path, method, headers }, (response) => {
        response.resume().once('end', () => resolve(response.statusCode ?? 0));
        response.once('error', reject);
      });
      call.once('error', reject);
      call.end(body);
    });
  }
}
