import { afterEach } from '@jest/globals';
import type { RestFake } from './rest/server.ts';

const fakes: RestFake[] = [];

/** Stops what a file's tests have started. */
export function stopAfterEach(): void {
  afterEach(async () => {
    for (const fake of fakes.splice(0)) await fake.stop();
  });
}

export function stopAfterTest<T extends RestFake>(fake: T): T {
  fakes.push(fake);
  return fake;
}

/** One call with a JSON body, or with a text as it is. */
export async function send(
  url: string,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
  method = 'POST',
): Promise<{ readonly status: number; readonly text: string; readonly headers: Headers }> {
  const response = await fetch(url, {
    method,
    headers: { 'content-type': 'application/json', accept: 'application/json', ...headers },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  });
  return { status: response.status, text: await response.text(), headers: response.headers };
}
