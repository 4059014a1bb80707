import type { SeverityOverrides } from '../../core/sensor.ts';
import type { SubjectResolver } from '../../core/subject-resolver.ts';
import { type IntakeToken, senderByToken } from './auth.ts';
import { Dispatcher } from './dispatcher.ts';
import type { IncidentGateway } from './incident-gateway.ts';
import type { IntakeLog } from './log.ts';
import { Receiver, type SealBytes } from './receive.ts';
import { createIntakeServer } from './server.ts';
import { Spool } from './spool.ts';

export interface IntakeOptions {
  /** Port 0 takes a free one. */
  readonly listen: { readonly host: string; readonly port: number };
  readonly tokens: readonly IntakeToken[];
  /** On a local disk, for this process alone. */
  readonly spoolDir: string;
  /** Bytes of waiting alerts at which the intake answers 503. */
  readonly maxBytes: number;
  readonly cluster: string;
  readonly severities?: SeverityOverrides;
  readonly resolver: SubjectResolver;
  readonly gateway: IncidentGateway;
  readonly seal: SealBytes;
  readonly log: IntakeLog;
}

export interface Intake {
  readonly url: string;
  /** Bytes of alerts that Temporal does not have yet. */
  waitingBytes(): number;
  /** Answers what it took, sends what waits (for `withinMs` at most, 10 s if not said), and keeps the rest for the next start. */
  stop(withinMs?: number): Promise<void>;
}

const hourMs = 3_600_000;

/**
 * Opens the front door: what was left in the spool is sent first.
 *
 * @throws FB_ERR_CONFLICT while another process holds the spool, FB_ERR_CONFIG_INVALID without tokens
 */
export async function startIntake(options: IntakeOptions): Promise<Intake> {
  const { listen, tokens, spoolDir, maxBytes, cluster, severities, resolver, gateway, seal, log } = options;
  const senderOf = senderByToken(tokens);
  const spool = await Spool.open({ directory: spoolDir, maxBytes });
  const dispatcher = new Dispatcher({ spool, gateway, log });
  const receiver = new Receiver({ cluster, ...(severities && { severities }), resolver, seal, spool, dispatcher, log });
  let stopping = false;
  const notReady = (): string | undefined => (stopping ? 'stopping' : spool.isFull() ? 'the spool is full' : undefined);
  const server = createIntakeServer({ receiver, senderOf, notReady, log });
  const forget = (): void => {
    spool.ledger.forget().catch(() => log.error({}, 'old alert ids could not be forgotten'));
  };
  const forgetting = setInterval(forget, hourMs).unref();
  try {
    const url = await server.listen(listen);
    dispatcher.drain();
    forget();
    log.info({ url, waitingBytes: spool.bytes() }, 'the intake takes alerts');
    return {
      url,
      waitingBytes: () => spool.bytes(),
      stop: async (withinMs = 10_000) => {
        if (stopping) return;
        stopping = true;
        clearInterval(forgetting);
        await server.close();
        await dispatcher.stop(withinMs);
        await spool.close();
      },
    };
  } catch (error) {
    clearInterval(forgetting);
    await spool.close();
    throw error;
  }
}
