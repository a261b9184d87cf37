import fs from 'fs-extra';
import { LAYOUT_BYTES } from '../../model/archive-layout.js';
import { namesIn } from '../../files/if-there.js';
import { checkOwnership } from './place/check-ownership.js';
import { ensureDurableFolder, linkDurable } from '../../files/durable-file.js';
import { RefsPublisher } from './refs/refs-publisher.js';
import { FORMAT_VERSION, OPENER, type LayoutPaths } from './place/layout-paths.js';

/** Makes what a store that is ours does not have yet, in an order that can be cut short and taken up again. */
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

/** Another process may open the same new directory, or have been killed there: a file is seen whole or not at all. */
async function writeOnce(file: string, text: string, mode: number, temporary: () => string): Promise<void> {
  if (!(await fs.pathExists(file))) await linkDurable(file, text, mode, temporary());
}
