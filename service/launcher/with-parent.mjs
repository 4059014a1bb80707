/** Loaded before a program that runs under a launcher: it ends when the launcher's end of the pipe closes, as the launcher did. */
import { Socket } from 'node:net';

const descriptor = Number(process.env.FIREBREAK_PARENT_PIPE);
delete process.env.FIREBREAK_PARENT_PIPE;
if (descriptor > 2) {
  const pipe = new Socket({ fd: descriptor, readable: true, writable: false });
  pipe.on('error', () => {});
  pipe.once('close', () => process.kill(process.pid, 'SIGKILL'));
  pipe.resume();
  pipe.unref();
}
