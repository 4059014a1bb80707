/** Tries the playbooks of a pack for whoever has started it: one line of JSON for each question and each answer. See `sandboxed.ts`, and `startPackProgram`. */
import { Console } from 'node:console';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';
import { FirebreakError } from '../../core/errors.ts';
import type { Pack } from '../../core/playbook/pack.ts';
import { loadedPack } from '../packs/loaded-pack.ts';
import type { FromSandbox, ToSandbox } from './sandboxed.ts';
import { LocalSimulations } from './simulations.ts';

const [folder = '', main = ''] = process.argv.slice(2);
// Among the answers, which are for a program: what a body prints is for people.
const forPeople = new Writable({
  write: (chunk, _, done) => {
    send({ printed: String(chunk).trimEnd() });
    done();
  },
});
globalThis.console = new Console(forPeople, forPeople);

// Live it stops nothing, and is told.
process.on('unhandledRejection', (reason) => {
  console.error(`a promise fails for which nothing waits: ${reason instanceof Error ? reason.message : String(reason)}`);
});

const pack = (await loadedPack(folder, main)) as Pack;
const simulations = new LocalSimulations(pack.playbooks);

for await (const line of createInterface({ input: process.stdin })) {
  const { call, asked }: ToSandbox = JSON.parse(line);
  if (!send(await answerTo(call, asked))) await once(process.stdout, 'drain');
}

function send(said: FromSandbox): boolean {
  return process.stdout.write(`${JSON.stringify(said)}\n`);
}

async function answerTo(call: ToSandbox['call'], asked: unknown): Promise<FromSandbox> {
  try {
    return { value: await Reflect.apply(simulations[call], simulations, [asked]) };
  } catch (error) {
    if (error instanceof FirebreakError) return { error: error.code, detail: error.detail };
    if (error instanceof TypeError) return { mistake: error.message };
    throw error;
  }
}
