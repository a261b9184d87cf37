import { decorated } from '../model/decorated.js';
import type { ImageRecord } from '../model/image-list.js';
import type { ImageSource } from '../stores/store.js';

/** The source, with names that mean what they meant when a plan was made, wherever their tags are now. */
export function pinnedSource(source: ImageSource, records: readonly ImageRecord[]): ImageSource {
  const pinned = new Map(records.map((record) => [record.name, record]));
  return decorated<ImageSource>(source, {
    resolve: async (texts) => {
      const found: ImageRecord[] = [];
      for (const text of texts) {
        const record = pinned.get(text);
        found.push(...(record === undefined ? await source.resolve([text]) : [record]));
      }
      return found;
    },
  });
}
