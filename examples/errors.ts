import { LadingError, loadImages, type LoadReport, type LoadSource, type Store } from '../src/index.js';

/** Loads an archive, or returns undefined if it is damaged. Compare `code` or `category`, never the message. */
export async function loadIfWhole(store: Store, archive: LoadSource): Promise<LoadReport | undefined> {
  try {
    return await loadImages(store, archive, { limits: { maxDocumentBytes: 8 * 1024 * 1024 } });
  } catch (error) {
    if (error instanceof LadingError && error.category === 'integrity') return undefined;
    throw error;
  }
}
