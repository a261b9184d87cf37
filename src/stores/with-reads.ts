import type { ContentProvider } from '../content/content-provider.js';
import { decorated } from '../model/decorated.js';
import { CALLBACK, check } from '../model/rules.js';
import { SOURCE } from './port-rules.js';
import type { ImageSource } from './store.js';

/** A function that the bytes of a blob pass through on their way to the reader. */
export type PassBytes = (chunks: AsyncIterable<Buffer>) => AsyncIterable<Buffer>;

/** Returns the source with a change: all bytes that are read from it, or from its readers, pass through `pass`. */
export function withReads<Source extends ImageSource>(source: Source, pass: PassBytes): Source {
  check({ source: SOURCE, pass: CALLBACK }, { source, pass });
  const openOf = (provider: ContentProvider): ContentProvider['open'] => {
    return (digest, options) => pass(provider.open(digest, options));
  };
  const own: Partial<ImageSource> = {
    open: openOf(source),
    reader: async () => {
      const reader = await source.reader();
      return decorated(reader, { open: openOf(reader), fileOf: () => undefined });
    },
  };
  // The cast: `own` replaces two methods of ImageSource, which every Source has.
  return decorated(source, own as Partial<Source>);
}
