/** Starts Firebreak's programs on whatever Node (20 or newer) is available: plain JavaScript without imports from packages. */
import { spawn } from 'node:child_process';
import { dirname } from 'node:path';
import { noInspector } from './node-flags.mjs';

/** Firebreak's own code runs on this Node or newer. */
const neededNode = [22, 19];

/** Returns what is wrong with this Node and what to do; undefined if Firebreak's code runs on it. */
export function nodeProblem() {
  if (isNewEnough(process.versions.node)) return undefined;
  return `Firebreak needs Node ${neededNode.join('.')} or newer, this is ${process.version}. Install a newer Node.`;
}

function isNewEnough(version) {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return major > neededNode[0] || (major === neededNode[0] && minor >= neededNode[1]);
}

/**
 * Runs a program under the given Node. It ends when this process does, kill -9 included. Returns its exit code.
 */
export async function runUnder({ node, args, env = process.env, stdout = 'inherit' }) {
  const preload = new URL('./with-parent.mjs', import.meta.url).href;
  const child = spawn(node, [noInspector, '--import', preload, ...args], {
    env: { ...env, FIREBREAK_PARENT_PIPE: '3', PATH: `${dirname(node)}:${env.PATH ?? ''}` },
    stdio: ['inherit', stdout, 'inherit', 'pipe'],
  });
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'];
  const forward = (signal) => child.kill(signal);
  for (const signal of signals) process.on(signal, forward);
  try {
    return await new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('exit', (code, signal) => resolve(code ?? (signal === 'SIGINT' ? 130 : 1)));
    });
  } finally {
    for (const signal of signals) process.off(signal, forward);
  }
}
