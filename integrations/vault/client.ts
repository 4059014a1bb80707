import { undefinedIf } from '../../core/errors.ts';
import { JsonApi, type JsonCall, type JsonObject, listAt, objectAt } from '../json-api.ts';

interface VaultOptions {
  readonly address: string;
  /** The token, or a function that reads it before each call, for example from a file where a renewer writes it. */
  readonly token: string | (() => string);
  /** For Vault Enterprise and OpenBao. */
  readonly namespace?: string;
}

/** The HTTP API of Vault and OpenBao, as far as needed here. Answers contain secret values; errors contain none. */
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

  /** Reads a path; returns undefined if there is nothing. */
  async read(path: string, signal: AbortSignal): Promise<JsonObject | undefined> {
    return this.#call({ method: 'GET', path, signal }).then((answer) => objectAt(answer), undefinedIf('FB_ERR_NOT_FOUND'));
  }

  async write(path: string, body: JsonObject, signal: AbortSignal): Promise<void> {
    await this.#call({ method: 'PUT', path, body, signal });
  }

  /** Sends a body and returns Vault's answer. */
  async ask(path: string, body: JsonObject, signal: AbortSignal): Promise<JsonObject> {
    return objectAt(await this.#call({ method: 'POST', path, body, signal }));
  }

  /** Lists the names below a path; empty if there is nothing. */
  async list(path: string, signal: AbortSignal): Promise<readonly string[]> {
    const call = this.#call({ method: 'GET', path, query: { list: 'true' }, signal });
    const answer = await call.catch(undefinedIf('FB_ERR_NOT_FOUND'));
    return listAt(objectAt(answer, 'data'), 'keys').filter((name) => typeof name === 'string');
  }

  #call({ path, ...call }: Pick<JsonCall, 'method' | 'path' | 'query' | 'body' | 'signal'>): Promise<unknown> {
    return this.#api.call({ ...call, path: `/${path}`, headers: { 'X-Vault-Token': this.#token() } });
  }
}
