import { hasCode } from '../../core/errors.ts';
import { JsonApi, type JsonCall, type JsonObject, listAt, objectAt } from '../json-api.ts';

interface VaultOptions {
  readonly address: string;
  /** Or where it is: asked before each call, as what renews a token writes it into a file. */
  readonly token: string | (() => string);
  /** Of Vault Enterprise and OpenBao. */
  readonly namespace?: string;
}

/** The HTTP API of Vault and OpenBao, as far as it is needed here. Answers hold values; errors hold none. */
export class Vault {
  readonly #api: JsonApi;
  readonly #token: () => string;

  constructor({ address, token, namespace }: VaultOptions) {
    this.#token = typeof token === 'string' ? () => token : token;
    this.#api = new JsonApi({
      name: 'Vault',
      baseUrl: `${address.replace(/\/+$/, '')}/v1`,
      headers: {
        'X-Vault-Request': 'true',
        ...(namespace !== undefined && { 'X-Vault-Namespace': namespace }),
      },
      timeoutMs: 10_000,
    });
  }

  /** What is read at a path; undefined where nothing is. */
  async read(path: string, signal: AbortSignal): Promise<JsonObject | undefined> {
    try {
      return objectAt(await this.#call({ method: 'GET', path, signal }));
    } catch (error) {
      if (hasCode(error, 'FB_ERR_NOT_FOUND')) return undefined;
      throw error;
    }
  }

  async write(path: string, body: JsonObject, signal: AbortSignal): Promise<void> {
    await this.#call({ method: 'PUT', path, body, signal });
  }

  /** What it makes of what is sent. */
  async ask(path: string, body: JsonObject, signal: AbortSignal): Promise<JsonObject> {
    return objectAt(await this.#call({ method: 'POST', path, body, signal }));
  }

  /** The names below a path; none where there is nothing. */
  async list(path: string, signal: AbortSignal): Promise<readonly string[]> {
    try {
      const answer = await this.#call({ method: 'GET', path, query: { list: 'true' }, signal });
      return listAt(objectAt(answer, 'data'), 'keys').filter((name) => typeof name === 'string');
    } catch (error) {
      if (hasCode(error, 'FB_ERR_NOT_FOUND')) return [];
      throw error;
    }
  }

  #call({ path, ...call }: Pick<JsonCall, 'method' | 'path' | 'query' | 'body' | 'signal'>): Promise<unknown> {
    return this.#api.call({ ...call, path: `/${path}`, headers: { 'X-Vault-Token': this.#token() } });
  }
}
