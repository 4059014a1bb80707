import { boundedFetch } from '../bounded-fetch.ts';

/** A description, keys or tokens of somebody with a thousand groups have a tenth of it. */
const largestAnswer = 1_048_576;

type Asked = { readonly [Part in 'method' | 'headers' | 'body' | 'signal']?: RequestInit[Part] | undefined };

/** Asks the identity provider. Redirects are followed by nobody: what it is asked may hold a secret. */
export function fetchOfProvider(url: string | URL, options: Asked): Promise<Response> {
  const { method = 'GET', headers = {}, body = null, signal = null } = options;
  return boundedFetch(url, { method, headers, body, signal, redirect: 'manual' }, largestAnswer);
}
