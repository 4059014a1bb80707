interface Kept {
  readonly port: string;
  readonly path: string;
  readonly name: string;
  readonly value: string;
}

interface Page {
  readonly status: number;
  readonly url: string;
  readonly text: string;
}

/** What a browser does with redirects and cookies, and no more: for one person, from page to page. */
export class Browser {
  #cookies: readonly Kept[] = [];

  /** Follows redirects to their end. */
  async go(url: string, method = 'GET', form?: URLSearchParams): Promise<Page> {
    let [next, how, body] = [url, method, form];
    const seen: string[] = [];
    for (let hop = 0; hop < 12; hop += 1) {
      seen.push(next);
      const headers = { cookie: this.#header(next) };
      const response = await fetch(next, { method: how, redirect: 'manual', headers, ...(body && { body }) });
      for (const line of response.headers.getSetCookie()) this.#keep(next, line);
      const location = response.headers.get('location');
      const text = await response.text();
      if (location === null) return { status: response.status, url: next, text };
      [next, how, body] = [new URL(location, next).href, 'GET', undefined];
    }
    throw new Error(`redirected without end: ${seen.join('\n')}`);
  }

  /** Submits the only form of a page as it is already filled in. */
  submit({ url, text }: Page): Promise<Page> {
    const action = /<form[^>]* action="([^"]+)"/.exec(text)?.[1];
    if (action === undefined) throw new Error(`there is no form on ${url}: ${text}`);
    const fields = [...text.matchAll(/<input type="hidden" name="([^"]+)" value="([^"]*)"/g)].map(
      ([, name = '', value = '']): [string, string] => [name, value],
    );
    return this.go(new URL(action, url).href, 'POST', new URLSearchParams(fields));
  }

  /** https://www.rfc-editor.org/rfc/rfc6265#section-5.3; an expired cookie removes the stored one. */
  #keep(url: string, line: string): void {
    const [pair = '', ...attributes] = line.split(';').map((part) => part.trim());
    const at = pair.indexOf('=');
    const [name, value] = [pair.slice(0, at), pair.slice(at + 1)];
    const written = (attribute: string) =>
      attributes.find((one) => one.toLowerCase().startsWith(`${attribute}=`))?.slice(attribute.length + 1);
    const { port } = new URL(url);
    const path = written('path') ?? '/';
    const expired = written('max-age') === '0' || Date.parse(written('expires') ?? '') < Date.now();
    const others = this.#cookies.filter((one) => one.port !== port || one.path !== path || one.name !== name);
    this.#cookies = expired ? others : [...others, { port, path, name, value }];
  }

  #header(url: string): string {
    const { port, pathname } = new URL(url);
    const fits = this.#cookies.filter((one) => one.port === port && (pathname === one.path || pathname.startsWith(one.path)));
    return fits.map(({ name, value }) => `${name}=${value}`).join('; ');
  }
}
