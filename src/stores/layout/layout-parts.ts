import { BlobFiles } from './blobs/blob-files.js';
import { LayoutPaths } from './place/layout-paths.js';
import { RefsLog } from './refs/refs-log.js';

/** The parts of a store in a directory. */
export interface LayoutParts {
  readonly paths: LayoutPaths;
  readonly blobs: BlobFiles;
  readonly refs: RefsLog;
  /** The clock for new records of the list of images. */
  readonly now?: (() => number) | undefined;
}
