// Loaded before the program. The bootstrap holds the other end of this pipe and never writes: the
// pipe ends when the bootstrap does, however it was killed, and that is a request to stop.
import { Socket } from 'node:net';

const fd = process.env['DARKROOM_PARENT_FD'];

// Worker threads and forks load this file as well, but the pipe is the first process's alone.
delete process.env['DARKROOM_PARENT_FD'];

if (fd !== undefined) {
  const pipe = new Socket({ fd: Number(fd), readable: true, writable: false });
  pipe.once('close', () => process.kill(process.pid, 'SIGTERM'));
  pipe.on('error', () => {});
  pipe.resume();
  pipe.unref();
}
