import {
  ApplicationFailure,
  condition,
  continueAsNew,
  defineQuery,
  defineSignal,
  proxyActivities,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow';
import type { Received } from '../../../core/messages/message.ts';

const { echo, fail } = proxyActivities<{ echo(value: unknown): Promise<Received>; fail(message: string): Promise<void> }>({
  startToCloseTimeout: '5s',
  retry: { maximumAttempts: 1 },
});

export const poke = defineSignal<[string]>('poke');
export const heard = defineQuery<readonly Received[]>('heard');

/** The codec returns the value wrapped with what is known about it: these workflows lack the interceptors that unwrap it. */
const valueIn = (given: unknown): string =>
  String(typeof given === 'object' && given !== null && 'value' in given ? given.value : given);

/** Sends a secret through everything that Temporal stores. */
export async function carrySecret(given: string, givenRound?: number): Promise<unknown> {
  const secret = valueIn(given);
  const round = givenRound === undefined ? '0' : valueIn(givenRound);
  const pokes: Received[] = [];
  setHandler(poke, (text: unknown) => {
    pokes.push(text as Received);
  });
  setHandler(heard, () => pokes);
  if (round === '0') {
    await condition(() => pokes.length > 0);
    await fail(`fails with ${secret}`).catch(() => undefined);
    // The cell takes no local activity and no other workflow from the process that runs workflows.
    const values = [await echo(secret), pokes, workflowInfo().memo];
    if (values.some((value) => JSON.stringify(value)?.includes(secret) !== true)) throw new Error('a value was lost');
    await continueAsNew<typeof carrySecret>(secret, 1);
  }
  throw ApplicationFailure.create({ message: `ends with ${secret}`, nonRetryable: true, details: [secret] });
}
