import type { CoreV1Event } from '@kubernetes/client-node';
import { redactSecrets } from '../../../core/text/redact.ts';
import { type KubernetesApi, pathOf } from '../client.ts';
import type { Jsonify } from '../watch/projection.ts';

/** Anyone who may write events may write many: this is the maximum that is read. */
const most = 500;

/** Events about an object, as JSON for the evidence, without anything that looks like a secret. */
export async function eventsAbout(options: {
  readonly api: KubernetesApi;
  /** Absent: all namespaces, for a cluster-scoped object. */
  readonly namespace?: string;
  /** Fields of `involvedObject`. */
  readonly of: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
}): Promise<{ readonly text: string; readonly partial?: string }> {
  const { api, namespace, of, signal } = options;
  const selector = Object.entries(of).map(([field, value]) => `involvedObject.${field}=${value}`);
  const list = await api.json<{
    readonly items: readonly Jsonify<CoreV1Event>[];
    readonly metadata: { readonly continue?: string };
  }>({
    method: 'GET',
    path: pathOf({ resource: 'events', ...(namespace !== undefined && { namespace }) }),
    query: { fieldSelector: selector.join(','), limit: String(most) },
    what: namespace === undefined ? 'list events' : `list events in ${namespace}`,
    signal,
  });
  const events = list.items.map(({ metadata: _, ...event }) => ({
    ...event,
    ...(event.message && { message: redactSecrets(event.message) }),
  }));
  return {
    text: JSON.stringify(events, null, 2),
    ...(list.metadata.continue && { partial: `there are more events than ${most}` }),
  };
}
