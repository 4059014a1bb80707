import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { SignInReader } from '../../../activities/chokepoint/parts.ts';
import { openDatabase } from '../../../integrations/database/database.ts';
import { createSignInStore } from '../../../integrations/database/sign-in-store.ts';
import { createSignInClient } from '../../../integrations/oidc/sign-in-client.ts';
import type { Config } from '../../../service/config/load.ts';
import { createSignInFlow, type SignInFlow, type SignInFlowOptions } from '../../../service/desk/pages/sign-in-flow.ts';
import { createSignInPages, type SignInPages } from '../../../service/desk/pages/sign-in-pages.ts';
import { createSignInReader } from '../../../service/process/sign-ins.ts';
import { type IdentityProvider, startIdentityProvider } from '../../fakes/oidc/provider.ts';
import { roster as people } from '../../workflows/people.ts';

/** The provider knows everyone except eve. */
export const roster = {
  ...people,
  people: people.people.map((one) => (one.id === 'eve' ? one : { ...one, subject: `sub-${one.id}` })),
};

export interface SignInDesk {
  readonly provider: IdentityProvider;
  readonly publicUrl: string;
  readonly flow: SignInFlow;
  /** Reads what the provider says, as the cell does. */
  readonly signIns: SignInReader;
  /** Requests for which this finds pages go to them, all others to the pages of a sign-in. */
  serve(pagesFor: (path: string) => Pick<SignInPages, 'handle'> | undefined): void;
  stop(): Promise<void>;
}

/** Starts the desk's sign-in pages on a port of their own, with a real identity provider. */
export async function startSignInDesk(options: {
  readonly votes: SignInFlowOptions['votes'];
  readonly ends: SignInFlowOptions['ends'];
  readonly reaches: NonNullable<Config['stepUp']>['reaches'];
  /** Called with each refusal, as `REASON: SUBJECT`. */
  readonly refused: (refusal: string) => void;
}): Promise<SignInDesk> {
  const { votes, ends, reaches, refused } = options;
  const clientId = 'firebreak';
  let pagesFor: Parameters<SignInDesk['serve']>[0] = () => undefined;
  const desk = createServer((request, response) => (pagesFor(request.url ?? '') ?? pages).handle(request, response));
  await new Promise<void>((resolve) => desk.listen(0, '127.0.0.1', resolve));
  const address = desk.address();
  const publicUrl = `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`;
  const redirectUri = `${publicUrl}/sign-in/callback`;
  const provider = await startIdentityProvider({ clientId, redirectUri: () => redirectUri });
  const { issuer } = provider;
  const folder = await mkdtemp(join(tmpdir(), 'firebreak-desk-'));
  const database = await openDatabase({ url: `sqlite:${join(folder, 'audit.db')}` });
  const flow = createSignInFlow({
    roster,
    store: createSignInStore(database),
    client: createSignInClient({ issuer, clientId, redirectUri, maxAgeMs: 300_000 }),
    votes,
    ends,
    publicUrl,
    refused: ({ reason, subject }) => refused(`${reason}: ${subject}`),
  });
  const pages = createSignInPages({ flow, publicUrl, log: () => undefined });
  const signIns = createSignInReader({ stepUp: { issuer, clientId, publicUrl, maxAgeMinutes: 5, reaches, decisions: [] } });
  if (!signIns) throw new Error('a provider is configured');
  return {
    provider,
    publicUrl,
    flow,
    signIns,
    serve: (others) => {
      pagesFor = others;
    },
    stop: async () => {
      await provider.stop();
      await new Promise((resolve) => desk.close(resolve));
      await database.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
