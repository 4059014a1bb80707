import { ownAction } from '../../../activities/actions/own-action.ts';
import type { RegisteredAction } from '../../../activities/chokepoint/parts.ts';
import { FirebreakError } from '../../../core/errors.ts';
import type { KubernetesApi } from '../../../integrations/kubernetes/client.ts';
import { guardedApi } from '../../../integrations/kubernetes/guarded-api.ts';
import type { Config, Environment } from '../../config/load.ts';
import type { Secrets } from '../../config/secrets.ts';
import { ActionHost } from '../../packs/own/action-host.ts';
import { readPack } from '../../packs/pack-files.ts';
import { openClusterApi } from '../../process/cluster-api.ts';
import type { Logger } from '../../process/log.ts';
import type { OwnKnowledge } from './durable-memory.ts';

/**
 * The actions of the configured packs, each pack's in a separate process.
 * @throws FB_ERR_CONFIG_INVALID if a pack has changed since the configuration was read.
 */
export function packsActions(parts: {
  readonly config: Pick<Config, 'packs' | 'kubernetes'>;
  readonly secrets: Pick<Secrets, 'packs'>;
  readonly knowledge: Pick<OwnKnowledge, 'ownSteps'>;
  readonly env: Environment;
  /** Throws if a call to the API server may not be made. */
  readonly guard: Parameters<typeof guardedApi>[1];
  readonly log: Logger;
  readonly atEnd: (close: () => Promise<void>) => void;
}): readonly RegisteredAction[] {
  const { config, secrets, knowledge, env, log, atEnd, guard } = parts;
  let opened: Promise<KubernetesApi> | undefined;
  // Only an action with rights needs the API server.
  const api = (): Promise<KubernetesApi> => {
    opened ??= openClusterApi({ config, env }).then(
      (found) => guardedApi(found, guard),
      (error: unknown) => {
        opened = undefined;
        throw error;
      },
    );
    return opened;
  };
  atEnd(async () => (await opened?.catch(() => undefined))?.close());
  return config.packs.flatMap(({ name, source, integrity, actions, settings }) => {
    if (actions.length === 0) return [];
    const files = readPack(source);
    if (files.integrity !== integrity)
      throw new FirebreakError('FB_ERR_CONFIG_INVALID', `the pack ${name} has changed since the configuration was read`);
    const host = new ActionHost({
      files,
      actions,
      secrets: secrets.packs?.get(name) ?? (() => ({})),
      settings,
      ...(actions.some(({ rights }) => rights.length > 0) && { cluster: { api, ownNamespace: config.kubernetes.ownNamespace } }),
      log: (text) => log.warn({ pack: name }, text),
    });
    atEnd(async () => host.close());
    return actions.map((action) => ownAction(action, { runner: host, steps: knowledge.ownSteps }));
  });
}
