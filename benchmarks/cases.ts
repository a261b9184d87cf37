import { reloadFile, reloadPipe } from './cases/again.js';
import { loadFile, loadPipe, savePipe } from './cases/all.js';
import { imagesOfMany, imagesOfNone, planOfMany } from './cases/many.js';
import { loadOneFile, loadOneFileBlobsFirst, loadOnePipe } from './cases/one-of-all.js';
import { loadSmallBlobs, saveSmallBlobs } from './cases/small-blobs.js';
import type { Case } from './run-case.js';
import type { Stand } from './stand.js';

/** Prepares a case. Most cases move the archive of the stand; some build others on the same ground. */
export type CaseMaker = (stand: Stand) => Case | Promise<Case>;

/** Every case by its name, in the order in which they run: cases that need a full store come together. */
export const CASES: Readonly<Record<string, CaseMaker>> = {
  'save-pipe': savePipe,
  'reload-pipe': reloadPipe,
  'reload-file': reloadFile,
  'load-file': loadFile,
  'load-pipe': loadPipe,
  'load-one-file': loadOneFile,
  'load-one-file-blobs-first': loadOneFileBlobsFirst,
  'load-one-pipe': loadOnePipe,
  'save-small-blobs': saveSmallBlobs,
  'load-small-blobs': loadSmallBlobs,
  'images-none': imagesOfNone,
  'images-many': imagesOfMany,
  'plan-many': planOfMany,
};
