import { FirebreakError } from '../../core/errors.ts';
import { JsonApi, type JsonObject, listAt, objectAt } from '../json-api.ts';

export interface VaultOptions {
  readonly address: string;
  readonly token: string;
  /** Of Vault Enterprise and OpenBao. */
  readonly namespace?: string;
}

/** The HTTP API of Vault and OpenBao, as far as rotation needs it. Answers hold values; errors hold none. */
export class Vault {
  readonly #api: JsonApi;

  constructor({ address, token, namespace }: VaultOptions) {
    this.#api = new JsonApi({
      name: 'Vault',
      baseUrl: `${address.replace(/\/+$/, '')}/v1`,
      headers: {
        'X-Vault-Token': token,
        'X-Vault-Request': 'true',
        ...(namespace !== undefined && { 'X-Vault-Namespace': namespace }),
      },
      timeoutMs: 10_000,
    });
  }

  /** What is read at a path; undefined where nothing is. */
  async read(path: string, signal: AbortSignal): Promise<JsonObject | undefined> {
    try {
      return objectAt(await this.#api.call({ method: 'GET', path: `/${path}`, signal }));
    } catch (error) {
      if (error instanceof FirebreakError && error.code === 'FB_ERR_NOT_FOUND') return undefined;
      throw error;
    }
  }

  async write(path: string, body: JsonObject, signal: AbortSignal): Promise<void> {
    await this.#api.call({ method: 'PUT', path: `/${path}`, body, signal });
  }

  /** The names below a path; none where there is nothing. */
  async list(path: string, signal: AbortSignal): Promise<readonly string[]> {
    try {
      const answer = await this.#api.call({ method: 'GET', path: `/${path}`, query: { list: 'true' }, signal });
      return listAt(objectAt(answer, 'data'), 'keys').filter((name) => typeof name === 'string');
    } catch (error) {
      if (error instanceof FirebreakError && error.code === 'FB_ERR_NOT_FOUND') return [];
      throw error;
    }
  }
}
