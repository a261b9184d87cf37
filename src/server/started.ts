import type { ListenOptions, Server } from 'node:net';
import { LadingError } from '../index.js';

/** Starts to listen. `name` is what errors call the place. Throws ERR_STORAGE_IO. */
export async function started(
  server: Server,
  where: ListenOptions & { readonly fd?: number },
  name: string,
): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const listening = (): void => {
      server.off('error', refuse);
      resolve();
    };
    const refuse = (error: NodeJS.ErrnoException): void => {
      server.off('listening', listening);
      reject(taken(name, error.code ?? error.message, error));
    };
    server.once('error', refuse).once('listening', listening).listen(where);
  });
}

/** The error of a place where a server cannot listen. */
export function taken(name: string, why: string, cause?: unknown): LadingError {
  return new LadingError('ERR_STORAGE_IO', `cannot listen on ${name}: ${why}`, { cause });
}
