import { type Injection, type RestFake, startRestFake } from '../rest/server.ts';
import { FakeApi, type GithubFakeOptions, problem } from './api.ts';
import { issuesPage } from './page.ts';
import type { IssueStore } from './store.ts';

export type { Injection };

export interface GithubFake extends RestFake {
  /** The page for people. */
  readonly page: string;
  readonly store: IssueStore;
}

/** A strict stand-in for GitHub's REST API, for one repository, with a page at `/` for people. */
export async function startGithubFake(options: GithubFakeOptions): Promise<GithubFake> {
  const api = new FakeApi(options);
  const fake = await startRestFake({
    answer: (request) => api.answer(request),
    failure: (status) => problem(status, 'Injected').body,
    headers: () => api.limitHeaders(),
    page: () => issuesPage(options.repository, api.store.all()),
    ...(options.port === undefined ? {} : { port: options.port }),
  });
  api.baseUrl = fake.url;
  api.pageUrl = `${fake.url}/`;
  return { ...fake, page: api.pageUrl, store: api.store };
}
