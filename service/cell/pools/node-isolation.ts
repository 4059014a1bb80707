import type { IsolationParts } from '../../../activities/actions/nodes/node-isolation.ts';
import { createWebhookNodeIsolator } from '../../../integrations/webhook/node-isolator.ts';
import type { Config } from '../../config/load.ts';
import type { Secrets } from '../../config/secrets.ts';

/** What cuts nodes off at their provider; undefined where nothing is configured. */
export function nodeIsolationOf(
  { cluster, actions }: Config,
  { nodeIsolation: secret = '' }: Pick<Secrets, 'nodeIsolation'>,
): IsolationParts | undefined {
  if (!actions.nodeIsolation) return undefined;
  const { url, timeoutSeconds } = actions.nodeIsolation.webhook;
  return { cluster, isolator: createWebhookNodeIsolator({ url, secret, timeoutMs: timeoutSeconds * 1_000 }) };
}
