import type { ContentProvider } from '../content/content-provider.js';
import { decorated } from '../model/decorated.js';
import type { ImageSource } from './store.js';

/** What the bytes of a blob pass through on their way to who reads them. */
export type PassBytes = (chunks: AsyncIterable<Buffer>) => AsyncIterable<Buffer>;

/** The source, except that all bytes that are read from it, or from its readers, pass through `pass`. */
export function withReads<Source extends ImageSource>(source: Source, pass: PassBytes): Source {
  const openOf = (provider: ContentProvider): ContentProvider['open'] => {
    return (digest, options) => pass(provider.open(digest, options));
  };
  const own: Partial<ImageSource> = {
    open: openOf(source),
    reader: async () => {
      const reader = await source.reader();
      return decorated(reader, { open: openOf(reader) });
    },
  };
  // Two methods of ImageSource stand in front; the rest stays what it is.
  return decorated(source, own as Partial<Source>);
}
