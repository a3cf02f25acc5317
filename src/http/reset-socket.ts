import type { Socket } from 'node:net';

/**
 * Cuts a connection and lets the kernel forget what it still holds for the other side.
 *
 * While a socket is being shut down (`end()` was called, all data are out, the kernel has not confirmed) libuv refuses to
 * reset it, and Node (20.20) then forgets it without closing it: a descriptor is lost, 'close' never comes, and the
 * process cannot end. Such a socket has nothing left to forget and is closed.
 */
export function resetSocket(socket: Socket): void {
  const { writableEnded, writableFinished, writableLength } = socket;
  if (writableEnded && !writableFinished && writableLength === 0) socket.destroy();
  else socket.resetAndDestroy();
}
