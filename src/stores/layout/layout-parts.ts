import { StorePaths } from './place/layout-paths.js';
import { BlobFiles } from './blobs/blob-files.js';
import { RefsLog } from './refs/refs-log.js';

/** The parts of a store in a directory. */
export interface LayoutParts {
  readonly paths: StorePaths;
  readonly blobs: BlobFiles;
  readonly refs: RefsLog;
}
