import { spawn } from 'node:child_process';
import { createServer, type ServerResponse } from 'node:http';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { showWork, tellProgress } from '../../../service/process/working-line.ts';
import { eventually } from '../../eventually.ts';

const cli = join(import.meta.dirname, '../../../service/cli.ts');
const stops: (() => void)[] = [];
afterEach(() => {
  for (const stop of stops.splice(0)) stop();
});

/** A desk that answers on demand. */
async function startSlowDesk() {
  const waiting: ServerResponse[] = [];
  const server = createServer((_request, response) => void waiting.push(response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('it does not listen');
  stops.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return {
    url: `http://127.0.0.1:${address.port}`,
    asked: () => waiting.length > 0,
    answer: () => {
      for (const response of waiting.splice(0)) response.writeHead(503).end();
    },
  };
}

/** Runs a command whose standard streams are a terminal. */
function onTerminal(args: readonly string[], env: NodeJS.ProcessEnv = {}) {
  const command = [process.execPath, '--disable-warning=ExperimentalWarning', cli, ...args];
  const child = spawn('script', ['-qec', command.map((word) => `'${word}'`).join(' '), '/dev/null'], {
    stdio: ['pipe', 'pipe', 'inherit'],
    // Node uses no colours on a terminal in CI, or if one of these variables says so.
    env: {
      ...process.env,
      TERM: 'xterm',
      CI: undefined,
      NODE_DISABLE_COLORS: undefined,
      FORCE_COLOR: undefined,
      NO_COLOR: undefined,
      ...env,
    },
  });
  stops.push(() => child.kill());
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (part: string) => {
    text += part;
  });
  const ended = new Promise<number | null>((resolve) => child.on('close', resolve));
  return { text: () => text, type: (typed: string) => child.stdin.write(typed), ended };
}

test('a waiting command shows on a terminal for how long, and clears that line before it prints anything', async () => {
  const desk = await startSlowDesk();
  const { text, ended } = onTerminal(['login', '--desk', desk.url]);
  await eventually('the line', () => /firebreak login is at work, \d+ s/.test(text()));
  await eventually('the desk is asked', desk.asked);
  desk.answer();
  await ended;
  const after = text().slice(text().lastIndexOf('is at work'));
  const [, said = ''] = after.split('\r\u001b[2K');
  expect(said).toContain('→ ');
});

/** Loads ten of the command's modules like a busy machine: each takes a quarter of a second, during which no timer fires. */
const slowLoading = `import { registerHooks } from 'node:module';
let left = 10;
registerHooks({
  load(url, context, next) {
    if (url.includes('/service/commands/') || url.includes('/core/')) if (left-- > 0) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 250);
    return next(url, context);
  },
});`;

test('the line also appears while a command is still loading, and counts from its start', async () => {
  const { text, ended } = onTerminal(['playbooks', 'list'], {
    NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(slowLoading)}`,
  });
  expect(await ended).toBe(0);
  expect(text()).toMatch(/firebreak playbooks list is at work, \d+ s.*contain-cryptominer/s);
});

test('Ctrl-C clears the line, says in one line what was stopped, and ends the command as by a signal', async () => {
  const desk = await startSlowDesk();
  const { text, type, ended } = onTerminal(['login', '--desk', desk.url]);
  await eventually('the line', () => text().includes('firebreak login is at work'));
  type('\u0003');
  expect(await ended).toBe(130);
  const erased = '\u001b[2K';
  const after = text().slice(text().lastIndexOf(erased) + erased.length);
  expect(after.replaceAll('^C', '').trim()).toBe('firebreak login: stopped');
});

test('output on a terminal is coloured unless NO_COLOR is set', async () => {
  const dim = '\u001b[2m';
  const [usual, plain] = [onTerminal(['playbooks', 'list']), onTerminal(['playbooks', 'list'], { NO_COLOR: '1' })];
  expect(await Promise.all([usual.ended, plain.ended])).toEqual([0, 0]);
  expect(usual.text()).toContain(dim);
  expect(plain.text()).toContain('contain-cryptominer');
  expect(plain.text()).not.toContain(dim);
});

/** A terminal, and its contents. */
function terminal(isTTY = true) {
  const written: string[] = [];
  const err = { isTTY, write: (text: string | Uint8Array) => written.push(String(text)) > 0 };
  return { err, out: { write: err.write }, written };
}

describe('the progress line of a command', () => {
  beforeEach(() => {
    jest.useFakeTimers();
  });
  afterEach(() => {
    jest.useRealTimers();
  });

  test('shows the progress where it is known', () => {
    const { written, ...streams } = terminal();
    const done = showWork(['report', 'compliance'], streams);
    tellProgress('reading the records', 0.426);
    jest.advanceTimersByTime(1_999);
    expect(written).toEqual([]);
    jest.advanceTimersByTime(2_000);
    expect(written.at(-1)).toContain('reading the records: 42 %, 3 s');
    done();
    expect(written.at(-1)).toBe('\r\u001b[2K');
  });

  test('is hidden while a question waits for an answer', () => {
    const { written, ...streams } = terminal();
    const done = showWork(['restore'], streams);
    streams.err.write('Put it back? ');
    jest.advanceTimersByTime(60_000);
    expect(written).toEqual(['Put it back? ']);
    streams.err.write('\n');
    jest.advanceTimersByTime(3_000);
    expect(written.at(-1)).toContain('firebreak restore is at work');
    done();
  });

  test.each([
    ['is not written if a program reads the output', ['audit', 'verify'], false],
    ['is not written for a service', ['run', '--role', 'desk'], true],
    ['is not written for a live view', ['incidents', 'watch', 'shop/cart'], true],
  ])('%s', (_, args, isTTY) => {
    const { written, ...streams } = terminal(isTTY);
    const done = showWork(args, streams);
    jest.advanceTimersByTime(60_000);
    expect(written).toEqual([]);
    done();
  });
});
