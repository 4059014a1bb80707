import { Client } from '@temporalio/client';
import { configToUse } from '../config/left-out.ts';
import type { Config } from '../config/load.ts';
import { resolveSecrets } from '../config/secrets.ts';
import type { Session } from '../incidents/session.ts';
import { openTrust } from '../process/trust.ts';
import { openConnection } from '../temporal/access.ts';
import { createSpeaker, type Speaker } from '../temporal/speaker.ts';
import { printable } from './output.ts';

/** @throws FB_ERR_CONFIG_INVALID, or FB_ERR_UNAVAILABLE if Temporal does not answer within 5 s. */
export async function connect({ config: path }: { readonly config: string }): Promise<Session> {
  // A mistake that the service runs with keeps nobody from deciding.
  const config = configToUse(path);
  const { dataConverter, client: interceptor } = cliSpeaker(config);
  const { namespace } = config.temporal;
  const connection = await openConnection({ config, env: process.env });
  const client = new Client({ connection, namespace, dataConverter, interceptors: { workflow: [interceptor] } });
  return { config, client, onCatchingUp: sayCatchingUp, onSlow: saySlow, close: () => connection.close() };
}

/** A speaker without a key: at the command line, people sign with their own. @throws FB_ERR_CONFIG_INVALID */
export function cliSpeaker(config: Config): Speaker {
  const { codecKeys: keys } = resolveSecrets({ config, env: process.env, roles: [] });
  return createSpeaker({ keys, namespace: config.temporal.namespace, trust: openTrust(config, 'cli') });
}

function sayCatchingUp(about: string): void {
  process.stderr.write(
    `${printable(about)} is catching up after an outage of Temporal, which takes up to a minute, or no cell is running. Nothing is lost. Waiting …\n`,
  );
}

function saySlow(about: string): void {
  process.stderr.write(
    `No answer yet about ${printable(about)}: if a cell has just stopped, the next one is asked after ten seconds. Waiting …\n`,
  );
}

/** Runs one command with a session, and always closes the session. */
export async function withSession<T>(options: { readonly config: string }, work: (session: Session) => Promise<T>): Promise<T> {
  const session = await connect(options);
  try {
    return await work(session);
  } finally {
    await session.close();
  }
}
