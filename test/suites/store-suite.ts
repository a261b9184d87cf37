import { describe } from 'node:test';
import { contentSuite } from './content-suite.js';
import { garbageSuite } from './garbage-suite.js';
import { imageListSuite } from './image-list-suite.js';
import { readerSuite } from './reader-suite.js';
import type { OpenStore } from './stored.js';

/** The behaviour of every kind of store. `open` makes an empty store for each test. */
export function storeSuite(name: string, open: OpenStore): void {
  describe(name, () => {
    contentSuite(open);
    imageListSuite(open);
    garbageSuite(open);
    readerSuite(open);
  });
}
