import { createReadStream } from 'node:fs';
import { loadImages, type Store } from '../src/index.js';

/** Loads two platforms of every image in an archive. Any Readable will do: a file, a pipe, a request. */
export async function loadTwoPlatforms(store: Store, file: string): Promise<void> {
  const report = await loadImages(store, createReadStream(file), {
    platforms: ['linux/amd64', 'linux/arm64'],
    onProgress: (event) => {
      if (event.type === 'progress') console.log(`${event.current} of ${event.total ?? 'unknown'} bytes`);
    },
  });
  for (const { name, digest } of report.images) console.log(`loaded ${name ?? digest}`);
  for (const { message } of report.warnings) console.warn(message);
}
