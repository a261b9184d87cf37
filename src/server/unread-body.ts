import type { IncomingMessage } from 'node:http';

/**
 * Ends the connection of a request that was answered, if its body does not end within the time. Node throws such a body away,
 * for as long as the client likes.
 */
export function endUnreadBody(request: IncomingMessage, withinMs: number): void {
  if (request.complete) return;
  const timer = setTimeout(() => request.socket.destroy(), withinMs);
  request.once('close', () => clearTimeout(timer));
}
