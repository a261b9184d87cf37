import { setImmediate } from 'node:timers/promises';
import { throwIfAborted } from '../model/aborted.js';
import { check, PATH, TEXT } from '../model/rules.js';
import { SOURCE } from '../stores/port-rules.js';
import { checkSpace, freeTarget } from '../stores/rootfs/rootfs-target.js';
import { RootfsWriter } from '../stores/rootfs/rootfs-writer.js';
import { TargetFolder } from '../stores/rootfs/target-folder.js';
import type { ImageSource } from '../stores/store.js';
import { labelOfRecord } from '../survey/reports.js';
import { BundleConfig } from './bundle.js';
import { directoryPlan, isWished, ownershipOf, wrongOption, type Decided } from './directory-plan.js';
import { openPlan, type OpenPlan } from './open-plan.js';
import { readFiles } from './read-files.js';
import type { UnpackReport } from './report-shapes.js';
import type { Inode } from '../tree/tree-listing.js';
import { refuseSkipped } from './skipped.js';
import { UNPACK_OPTIONS, type UnpackOptions } from './unpack-options.js';
import { reportOf } from './unpack-report.js';

const ARGUMENTS = { source: SOURCE, name: TEXT, directory: PATH, options: UNPACK_OPTIONS };

/** Steps of blocking calls between two turns of other work. */
const STEPS_PER_TURN = 200;

/**
 * Makes the root file system of an image as a directory, which must be absent or empty. It appears whole, or not at all:
 * all layers are verified first, and the tree is written into a private folder beside it. With `bundle` it is an OCI
 * runtime bundle. Devices, fifos and extended attributes need the optional package koffi; what is left out is counted
 * in the report. Throws
 * ERR_TARGET_EXISTS, ERR_UNPACK_INCOMPLETE, ERR_USER_UNKNOWN, ERR_NO_SPACE, ERR_STORAGE_IO, and what
 * {@link flattenImage} throws. Holds the tree, and a few pieces of 256 KiB.
 */
export async function unpackImage(
  source: ImageSource,
  name: string,
  directory: string,
  options: UnpackOptions = {},
): Promise<UnpackReport> {
  check(ARGUMENTS, { source, name, directory, options });
  const ownership = ownershipOf(options);
  if (options.order !== undefined) throw wrongOption('order', 'a directory has no order; it goes with a flat tar');
  const target = await freeTarget(directory);
  const open = await openPlan(source, name, options);
  try {
    return await unpackInto(target, open, { ...options, ownership });
  } finally {
    await open.reader.end();
  }
}

async function unpackInto(target: string, open: OpenPlan, options: Decided): Promise<UnpackReport> {
  const { plan } = open;
  const { abilities, calls, skips } = await directoryPlan(plan, options);
  const checkStrict = (): void => {
    if (options.strict !== true) return;
    const refused = skips.all.filter(({ what }) => !isWished(what, options));
    refuseSkipped(refused, labelOfRecord(plan.image.record));
  };
  checkStrict();
  const { sync = false, bundle = false } = options;
  const config = bundle ? new BundleConfig(plan) : undefined;
  await checkSpace(target, plan.counts.bytes);
  const folder = new TargetFolder(target, { bundle, sync });
  const onRefused = (what: 'device' | 'xattr', path: string): void => skips.add(what, path);
  const writer = new RootfsWriter(folder.rootfs, { abilities, calls, onRefused, sync });
  try {
    folder.make();
    await writeTree(writer, open, { ...options, config });
    // The file system may have refused what the plan could not know of.
    checkStrict();
    if (config !== undefined) folder.writeConfig(config.bytes());
    await folder.publish();
  } catch (error) {
    writer.close();
    throw await folder.giveUp(error, plan.listing.directories);
  }
  const kind = bundle ? 'bundle' : 'directory';
  return { ...reportOf(plan, skips, { ownership: options.ownership, bundle: config }), target: { kind, path: target } };
}

interface WriteOptions extends Decided {
  readonly config: BundleConfig | undefined;
}

async function writeTree(
  writer: RootfsWriter,
  { reader, plan, limits }: OpenPlan,
  options: WriteOptions,
): Promise<void> {
  const { listing, counts, layers } = plan;
  const turns = new Turns(options.signal);
  for (const directory of listing.directories) {
    writer.makeDirectory(directory);
    await turns.step();
  }
  for await (const parts of readFiles(reader, plan, { limits, signal: options.signal })) {
    for (const part of parts) {
      await turns.step();
      options.config?.see(part);
      if (part.kind === 'piece') await writer.addPiece(part.bytes, part.isLast);
      if (part.kind === 'special' && !isSymlink(part.inode)) writer.makeSpecial(part.inode);
      if (part.kind !== 'file') continue;
      writer.startFile(part);
      const place = { layer: part.layer + 1, layers: layers.length };
      options.onProgress?.({
        phase: 'write',
        ...place,
        bytes: writer.bytes,
        total: counts.bytes,
        entries: layers.at(-1)?.end ?? 0,
      });
    }
  }
  listing.rewind();
  for (let inode = listing.take(); inode !== undefined; inode = listing.take()) {
    if (isSymlink(inode)) writer.makeSpecial(inode);
    await turns.step();
  }
  for (const directory of listing.directories.toReversed()) {
    writer.finishDirectory(directory);
    await turns.step();
  }
}

/** These come last, so that nothing can be written through one. */
function isSymlink({ node }: Inode): boolean {
  return typeof node === 'object' && node.kind === 'symlink';
}

/** Lets other work of the process go on after some steps. */
class Turns {
  readonly #signal: AbortSignal | undefined;
  #steps = 0;

  constructor(signal: AbortSignal | undefined) {
    this.#signal = signal;
  }

  async step(): Promise<void> {
    this.#steps += 1;
    if (this.#steps % STEPS_PER_TURN > 0) return;
    await setImmediate();
    throwIfAborted(this.#signal, 'unpacking the image');
  }
}
