import {
  ApplicationFailure,
  condition,
  continueAsNew,
  defineQuery,
  defineSignal,
  executeChild,
  proxyActivities,
  proxyLocalActivities,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow';

const { echo, fail } = proxyActivities<{ echo(value: unknown): Promise<unknown>; fail(message: string): Promise<void> }>({
  startToCloseTimeout: '5s',
  retry: { maximumAttempts: 1 },
});
const { echo: echoHere } = proxyLocalActivities<{ echo(value: unknown): Promise<unknown> }>({ startToCloseTimeout: '5s' });

export const poke = defineSignal<[string]>('poke');
export const heard = defineQuery<readonly string[]>('heard');

/** Sends a secret through everything that Temporal stores. */
export async function carrySecret(secret: string, round = 0): Promise<unknown> {
  const pokes: string[] = [];
  setHandler(poke, (text) => {
    pokes.push(text);
  });
  setHandler(heard, () => pokes);
  if (round === 0) {
    await condition(() => pokes.length > 0);
    await fail(`fails with ${secret}`).catch(() => undefined);
    const values = [
      await echo(secret),
      await echoHere(secret),
      await executeChild(child, { args: [secret] }),
      pokes,
      workflowInfo().memo,
    ];
    if (values.some((value) => JSON.stringify(value)?.includes(secret) !== true)) throw new Error('a value was lost');
    await continueAsNew<typeof carrySecret>(secret, 1);
  }
  throw ApplicationFailure.create({ message: `ends with ${secret}`, nonRetryable: true, details: [secret] });
}

export async function child(secret: string): Promise<string> {
  return secret;
}
