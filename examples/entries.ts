import { Writable, type Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { DEFAULT_LIMITS } from '../src/index.js';
import { Decompress, TarExtract, TarGuard, type ArchiveEntry } from '../src/stages/index.js';

/** The names of an archive's entries. Every tar header is checked before the reader behind the guard sees it. */
export async function entryNames(archive: Readable): Promise<readonly string[]> {
  const names: string[] = [];
  const sink = new Writable({
    objectMode: true,
    write: ({ name, body }: ArchiveEntry, _encoding, callback) => {
      names.push(name);
      drain(body).then(() => callback(), callback);
    },
  });
  await pipeline(archive, new Decompress(DEFAULT_LIMITS), new TarGuard(DEFAULT_LIMITS), new TarExtract(), sink);
  return names;
}

/** A body is read to its end: the next entry waits for that. */
async function drain(body: ArchiveEntry['body']): Promise<void> {
  for await (const _ of body);
}
