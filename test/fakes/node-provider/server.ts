import { entriesPage } from '../rest/page.ts';
import { type Fields, fieldsOf, type RestAnswer, type RestFake, type RestRequest, startRestFake } from '../rest/server.ts';
import { signedEvent } from '../webhook/server.ts';

export interface NodeProviderFake extends RestFake {
  /** Names of the nodes that are currently isolated. */
  isolated(): readonly string[];
  /** What was acted on or looked at, in order, without repeats. */
  readonly events: readonly Fields[];
  /** Accepts orders without carrying them out, like a provider whose quota is exhausted. */
  stall(): void;
}

const types = ['node.isolate', 'node.look', 'node.release'];

/**
 * A service in front of a provider's security groups, as the documentation requires. It stores its answers by idempotency key, and rejects a look with a key
 * that it knows, an order without the node's name, and an isolation whose node changes.
 */
export async function startNodeProviderFake({ secret }: { readonly secret: string }): Promise<NodeProviderFake> {
  const events: Fields[] = [];
  const answers = new Map<string, RestAnswer>();
  /** Isolation → node. */
  const isolations = new Map<string, string>();
  let stalled = false;

  const act = (type: string, isolation: string, node: string): RestAnswer => {
    const held = isolations.get(isolation);
    if (held !== undefined && held !== node) return { status: 422, body: { error: 'this isolation is of another node' } };
    if (type === 'node.look')
      return {
        status: 200,
        body: held === undefined ? { state: 'open', detail: 'sg-default' } : { state: 'isolated', detail: 'sg-quarantine' },
      };
    if (!stalled && type === 'node.isolate') isolations.set(isolation, node);
    if (type === 'node.release') isolations.delete(isolation);
    return { status: 202, body: {} };
  };

  const answer = (request: RestRequest): RestAnswer => {
    const read = signedEvent(request, { path: '/firebreak', secret, types });
    if ('refusal' in read) return read.refusal;
    const { event, key } = read;
    const { type, isolation, incident, cluster, node } = event;
    const name = fieldsOf(JSON.stringify(node ?? null))?.name;
    if (![isolation, incident, cluster, name].every((text) => typeof text === 'string' && text !== ''))
      return { status: 400, body: { error: 'not whole' } };
    const known = answers.get(key);
    if (known) return type === 'node.look' ? { status: 409, body: { error: 'a look under a known key' } } : known;
    events.push(event);
    const made = act(String(type), String(isolation), String(name));
    answers.set(key, made);
    return made;
  };

  const fake = await startRestFake({
    answer,
    failure: (status) => ({ error: `Injected ${status}` }),
    page: () =>
      entriesPage(
        'Nodes',
        [...isolations].map(([isolation, node]) => ({
          title: node,
          state: 'isolated',
          open: true,
          facts: [isolation],
          texts: [],
        })),
      ),
  });
  return {
    ...fake,
    events,
    isolated: () => [...isolations.values()],
    stall: () => {
      stalled = true;
    },
  };
}
