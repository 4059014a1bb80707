import { boundedFetch } from '../bounded-fetch.ts';

/** Ten times the size of a description, keys, or the tokens of somebody with a thousand groups. */
const largestAnswer = 1_048_576;

type Asked = { readonly [Part in 'method' | 'headers' | 'body' | 'signal']?: RequestInit[Part] | undefined };

/** Calls the identity provider. Does not follow redirects: the request may contain a secret. */
export function fetchOfProvider(url: string | URL, options: Asked): Promise<Response> {
  const { method = 'GET', headers = {}, body = null, signal = null } = options;
  return boundedFetch(url, { method, headers, body, signal, redirect: 'manual' }, largestAnswer);
}
