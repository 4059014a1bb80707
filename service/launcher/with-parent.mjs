/** Loaded before a program that runs under a launcher: ends the program when the launcher's end of the pipe closes, that is, when the launcher has ended. */
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
