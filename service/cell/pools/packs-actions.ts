import { ownAction } from '../../../activities/actions/own-action.ts';
import type { RegisteredAction } from '../../../activities/chokepoint/parts.ts';
import { FirebreakError } from '../../../core/errors.ts';
import type { Config, Environment } from '../../config/load.ts';
import type { Secrets } from '../../config/secrets.ts';
import { ActionHost } from '../../packs/action-host.ts';
import { readPack } from '../../packs/pack-files.ts';
import type { Logger } from '../../process/log.ts';
import type { OwnKnowledge } from './durable-memory.ts';

/** Variables used by clients of the API server and of services with a private CA; no other part of the environment reaches a pack's action. */
const passedOn = ['KUBERNETES_SERVICE_HOST', 'KUBERNETES_SERVICE_PORT', 'NODE_EXTRA_CA_CERTS', 'HTTPS_PROXY', 'NO_PROXY'];

/**
 * The actions of the configured packs, each pack's in a separate process.
 * @throws FB_ERR_CONFIG_INVALID if a pack has changed since the configuration was read.
 */
export function packsActions(parts: {
  readonly config: Pick<Config, 'packs'>;
  readonly secrets: Pick<Secrets, 'packs'>;
  readonly knowledge: Pick<OwnKnowledge, 'ownSteps'>;
  readonly env: Environment;
  readonly log: Logger;
  readonly atEnd: (close: () => Promise<void>) => void;
}): readonly RegisteredAction[] {
  const { config, secrets, knowledge, env, log, atEnd } = parts;
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
      env: Object.fromEntries(passedOn.flatMap((variable) => (env[variable] === undefined ? [] : [[variable, env[variable]]]))),
      log: (text) => log.warn({ pack: name }, text),
    });
    atEnd(async () => host.close());
    return actions.map((action) => ownAction(action, { runner: host, steps: knowledge.ownSteps }));
  });
}
