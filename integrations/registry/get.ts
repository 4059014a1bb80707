import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { isIP } from 'node:net';
import axios, { type AxiosResponse } from 'axios';
import { FirebreakError } from '../../core/errors.ts';
import { systemErrorCode } from '../../core/system-error.ts';
import { isInside, lookupOutside } from './addresses.ts';

/** A host with its port that the configuration names: it may be anywhere. */
export interface KnownHost {
  /** `registry.example.com:5000` */
  readonly host: string;
  /** Certificate authorities (PEM) instead of the system's. */
  readonly ca?: string;
  /** No TLS: credentials are never sent to it. */
  readonly plainHttp?: boolean;
}

export interface RegistryAnswer {
  readonly status: number;
  readonly header: (name: string) => string | undefined;
  readonly body: Buffer;
}

interface GetOptions {
  readonly known: readonly KnownHost[];
  readonly url: URL;
  readonly accept: string;
  /** Sent to the host of `url` only, and only over TLS. */
  readonly authorization?: string | undefined;
  readonly maxBytes: number;
  readonly signal: AbortSignal;
}

const callMs = 5_000;
const mostRedirects = 3;
const redirects = new Set([301, 302, 303, 307, 308]);

/**
 * One GET. Follows redirects only to hosts of the configuration or the public internet, over TLS, and without the credentials.
 * @throws FB_ERR_UNAVAILABLE: no answer, too large, or a forbidden redirect. It contains no body and no credential.
 */
export async function get(options: GetOptions): Promise<RegistryAnswer> {
  let { url, authorization } = options;
  for (let hop = 0; ; hop += 1) {
    const answer = await once({ ...options, url, authorization });
    const location = answer.header('location');
    if (!redirects.has(answer.status) || location === undefined) return answer;
    if (hop === mostRedirects) throw unavailable(options.url.host, 'it redirects too many times');
    const next = URL.canParse(location, url.href) ? new URL(location, url) : undefined;
    if (!next) throw unavailable(options.url.host, 'it redirects to an invalid address');
    if (next.host !== url.host) authorization = undefined;
    url = next;
  }
}

async function once({ known, url, accept, authorization, maxBytes, signal }: GetOptions): Promise<RegistryAnswer> {
  const host = known.find((one) => one.host === url.host);
  const mayGo = url.protocol === 'https:' || (url.protocol === 'http:' && host?.plainHttp === true);
  const address = url.hostname.replace(/^\[|\]$/g, '');
  if (!mayGo || (!host && isIP(address) !== 0 && isInside(address)))
    throw unavailable(url.host, 'it is neither a registry in the configuration nor a public host over TLS');
  const outside = host ? {} : { lookup: lookupOutside };
  let response: AxiosResponse<Buffer>;
  try {
    response = await axios.get<Buffer>(url.href, {
      responseType: 'arraybuffer',
      timeout: callMs,
      signal: AbortSignal.any([signal, AbortSignal.timeout(callMs)]),
      maxRedirects: 0,
      maxContentLength: maxBytes,
      proxy: false,
      validateStatus: () => true,
      httpAgent: new HttpAgent({ ...outside }),
      httpsAgent: new HttpsAgent({ ...outside, ...(host?.ca !== undefined && { ca: host.ca }) }),
      headers: {
        Accept: accept,
        'User-Agent': 'firebreak',
        ...(authorization !== undefined && url.protocol === 'https:' && { Authorization: authorization }),
      },
    });
  } catch (error) {
    throw unavailable(url.host, whyNot(error, maxBytes));
  }
  return {
    status: response.status,
    body: Buffer.from(response.data),
    header: (name) => {
      const value: unknown = response.headers[name];
      return typeof value === 'string' ? value : undefined;
    },
  };
}

function whyNot(error: unknown, maxBytes: number): string {
  const code = systemErrorCode(error) ?? '';
  if (code === 'EINSIDE') return 'its name resolves to an internal address, and the configuration does not name it';
  if (code === 'ERR_BAD_RESPONSE') return `its answer is larger than ${maxBytes} bytes`;
  if (code === 'ECONNABORTED' || code === 'ERR_CANCELED') return 'it did not answer in time';
  return `it did not answer${/^[A-Z_]{3,40}$/.test(code) ? ` (${code})` : ''}`;
}

export function unavailable(host: string, why: string): FirebreakError {
  return new FirebreakError('FB_ERR_UNAVAILABLE', `${host}: ${why}`);
}
