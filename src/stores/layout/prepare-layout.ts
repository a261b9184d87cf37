import fs from 'fs-extra';
import { ensureDurableFolder, linkDurable } from '../../files/durable-file.js';
import { namesIn } from '../../files/if-there.js';
import { LAYOUT_BYTES } from '../../model/archive-layout.js';
import { checkOwnership } from './place/check-ownership.js';
import { FORMAT_VERSION, OPENER, type LayoutPaths } from './place/layout-paths.js';
import { RefsPublisher } from './refs/refs-publisher.js';

/** Makes the folders and files that the store does not have yet. Another call can complete what was interrupted. */
export async function prepareLayout(paths: LayoutPaths): Promise<void> {
  checkOwnership(paths);
  for (const folder of [paths.ingest, paths.leases, paths.trash, paths.refs, paths.blobs]) {
    await ensureDurableFolder(folder);
  }
  const temporary = (): string => paths.newIngest(OPENER);
  await writeOnce(paths.version, `${FORMAT_VERSION}\n`, 0o600, temporary);
  await writeOnce(paths.layout, LAYOUT_BYTES, 0o644, temporary);
  const publisher = new RefsPublisher(paths, temporary);
  if ((await namesIn(paths.refs)).length === 0) await publisher.initialise();
  else await publisher.copyToIndex();
}

/** Links the whole file at once, since another process may open the same new directory, or have been killed there. */
async function writeOnce(file: string, text: string, mode: number, temporary: () => string): Promise<void> {
  if (!(await fs.pathExists(file))) await linkDurable(file, text, mode, temporary());
}
