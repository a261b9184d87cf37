import {
  chmodSync,
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  fsync,
  fsyncSync,
  futimesSync,
  linkSync,
  mkdirSync,
  openSync,
  write,
  writeSync,
} from 'node:fs';
import { promisify } from 'node:util';
import type { LayerEntry } from '../../model/layer-header.js';
import { pathOf, type Directory, type Special } from '../../tree/nodes.js';
import type { Inode } from '../../tree/tree-listing.js';
import { SpecialFiles, type SpecialFilesOptions } from './special-files.js';
import { systemTime } from './system-time.js';

/** What the files of a directory are like. */
export interface WriterOptions extends SpecialFilesOptions {
  /** Whether each file and directory is made durable. */
  readonly sync: boolean;
}

/** A regular file: its names, and its header. */
export interface WrittenFile {
  readonly inode: Inode;
  readonly entry: LayerEntry;
}

type Described = Pick<LayerEntry, 'uid' | 'gid' | 'mode' | 'mtime' | 'xattrs'>;

/** Bytes of a file that is written by blocking calls: six of them are quicker than one trip to a thread. */
const SMALL_BYTES = 256 * 1024;

const { O_CREAT, O_DIRECTORY, O_EXCL, O_NOFOLLOW, O_RDONLY, O_WRONLY } = constants;

/**
 * Writes a tree into a new private folder. Every path consists of directories that this process made, since symlinks
 * are made last: so nothing is ever written through a link. Nothing that exists is opened for writing. Holds one piece
 * of a file, and the bytes of a small one.
 */
export class RootfsWriter {
  readonly #root: Buffer;
  readonly #options: WriterOptions;
  readonly #specials: SpecialFiles;
  #open: { readonly file: WrittenFile; readonly fd: number | undefined; pieces: Buffer[] } | undefined;
  bytes = 0;

  /** `folder` must not exist. */
  constructor(folder: string, options: WriterOptions) {
    this.#root = Buffer.from(folder);
    this.#options = options;
    this.#specials = new SpecialFiles(options);
  }

  #at(path: string): Buffer {
    return path === '' ? this.#root : Buffer.concat([this.#root, Buffer.from(`/${path}`, 'latin1')]);
  }

  /** Makes a directory that only the caller can enter. The root comes first, parents before children. */
  makeDirectory(directory: Directory): void {
    const at = this.#at(pathOf(directory));
    mkdirSync(at, 0o700);
    // A umask may take even the rights of the owner.
    chmodSync(at, 0o700);
  }

  /** Starts a regular file. Its body must follow, unless it is empty. */
  startFile(file: WrittenFile): void {
    const isLarge = file.entry.bodySize > SMALL_BYTES;
    this.#open = { file, fd: isLarge ? this.#create(file.inode.path) : undefined, pieces: [] };
    if (file.entry.bodySize === 0) this.#finish();
  }

  /** Takes the next piece of the file's body. The last one finishes the file and makes its other names. */
  async addPiece(bytes: Buffer, isLast: boolean): Promise<void> {
    const open = this.#open;
    if (open === undefined) return;
    this.bytes += bytes.length;
    if (open.fd === undefined) open.pieces.push(bytes);
    else await writeAll(open.fd, bytes);
    if (!isLast) return;
    // A large file takes long to become durable.
    if (open.fd !== undefined && this.#options.sync) await promisify(fsync)(open.fd);
    this.#finish();
  }

  #create(path: string): number {
    return openSync(this.#at(path), O_CREAT | O_EXCL | O_NOFOLLOW | O_WRONLY, 0o600);
  }

  #finish(): void {
    const open = this.#open;
    this.#open = undefined;
    if (open === undefined) return;
    const { file, pieces, fd = this.#create(file.inode.path) } = open;
    try {
      for (const piece of pieces) writeAllSync(fd, piece);
      this.#describe(fd, { ...file.entry, mode: this.#modeOf(file.entry) }, 'file', file.inode.path);
    } finally {
      closeSync(fd);
    }
    this.#link(file.inode);
  }

  #modeOf({ mode }: LayerEntry): number {
    return this.#options.abilities.setIds ? mode : mode & ~0o6000;
  }

  /** The owner first: a change of it takes set-id bits and capabilities away. The mode may take the right to write. */
  #describe(fd: number, metadata: Described, kind: 'file' | 'directory', path: string): void {
    const { uid, gid, mode, mtime, xattrs } = metadata;
    if (this.#options.abilities.owners) fchownSync(fd, uid, gid);
    if (xattrs !== undefined) this.#specials.describe(fd, { xattrs }, kind, path);
    fchmodSync(fd, mode);
    const time = systemTime(mtime);
    futimesSync(fd, time, time);
    if (this.#options.sync) fsyncSync(fd);
  }

  #link({ path, links }: Inode): void {
    for (const link of links) linkSync(this.#at(path), this.#at(link.path));
  }

  /** Makes a device or fifo, or a symlink, with its other names. No file may follow a symlink. */
  makeSpecial(inode: Inode): void {
    // A special node is an object; a number is a regular file.
    if (this.#specials.make(this.#at(inode.path), inode.node as Special, inode.path)) this.#link(inode);
  }

  /** Gives a directory its owner, rights and time. Nothing may be made in it any more. */
  finishDirectory(directory: Directory): void {
    const path = pathOf(directory);
    const fd = openSync(this.#at(path), O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    try {
      this.#describe(fd, directory.metadata, 'directory', path);
    } finally {
      closeSync(fd);
    }
  }

  /** Closes what is open, after an error. */
  close(): void {
    const { fd } = this.#open ?? {};
    this.#open = undefined;
    if (fd !== undefined) closeAnyhow(fd);
  }
}

/** An error of what is removed next does not count. */
function closeAnyhow(fd: number): void {
  try {
    closeSync(fd);
  } catch {
    // The descriptor is gone all the same (close(2)).
  }
}

async function writeAll(fd: number, bytes: Buffer): Promise<void> {
  for (let at = 0; at < bytes.length;) {
    const { bytesWritten } = await promisify(write)(fd, bytes, at, bytes.length - at);
    at += bytesWritten;
  }
}

function writeAllSync(fd: number, bytes: Buffer): void {
  for (let at = 0; at < bytes.length;) at += writeSync(fd, bytes, at);
}
