import { chmodSync, lchownSync, lutimesSync, symlinkSync } from 'node:fs';
import type { SpecialCalls } from '../../files/special-calls.js';
import { quote } from '../../model/errors.js';
import type { Xattrs } from '../../model/layer-header.js';
import type { Metadata, Special } from '../../tree/nodes.js';
import { shownName } from '../../tree/tree-error.js';
import { canMake, keptXattrs, type Abilities } from './abilities.js';
import { systemTime } from './system-time.js';
import { targetError } from './target-error.js';

/** What a file system or kernel may refuse, though the user may do it elsewhere. */
export type Refused = 'device' | 'xattr';

/** How to make what Node.js cannot make. */
export interface SpecialFilesOptions {
  readonly abilities: Abilities;
  /** Undefined: neither devices, fifos nor extended attributes are made. */
  readonly calls: SpecialCalls | undefined;
  /** Called with the path of what was refused. */
  readonly onRefused: (what: Refused, path: string) => void;
}

/** The file system has no such attributes, or the kernel does not take this one. */
const REFUSED = ['ENOTSUP', 'EOPNOTSUPP', 'EPERM', 'EINVAL', 'E2BIG', 'ERANGE'];

/** Makes symlinks, devices and fifos, and sets extended attributes, all inside a private folder. Holds nothing. */
export class SpecialFiles {
  readonly #options: SpecialFilesOptions;

  constructor(options: SpecialFilesOptions) {
    this.#options = options;
  }

  /** Makes a node at this place. Returns false for one that the target does not get. */
  make(at: Buffer, node: Special, path: string): boolean {
    const { kind, metadata, target } = node;
    if (kind === 'symlink') symlinkSync(Buffer.from(target, 'latin1'), at);
    else if (!this.#makeNode(at, node, path)) return false;
    if (this.#options.abilities.owners) lchownSync(at, metadata.uid, metadata.gid);
    // A symlink has no mode of its own. Nobody but this process can put one in the place of the node.
    if (kind !== 'symlink') chmodSync(at, metadata.mode);
    const { calls } = this.#options;
    this.#setXattrs(metadata.xattrs, 'special', path, (name, value) => calls?.setLinkXattr(at, name, value));
    const time = systemTime(metadata.mtime);
    lutimesSync(at, time, time);
    return true;
  }

  #makeNode(at: Buffer, node: Special, path: string): boolean {
    const { abilities, calls } = this.#options;
    const { kind, major, minor } = node;
    if (calls === undefined || kind === 'symlink' || !canMake(abilities, node)) return false;
    return this.#unlessRefused('device', path, () => calls.makeNode(at, { kind, major, minor }));
  }

  /** Sets the attributes of an open file or directory, while its mode still lets its owner write. */
  describe(fd: number, { xattrs }: Pick<Metadata, 'xattrs'>, kind: 'file' | 'directory', path: string): void {
    const { calls } = this.#options;
    this.#setXattrs(xattrs, kind, path, (name, value) => calls?.setXattr(fd, name, value));
  }

  #setXattrs(
    xattrs: Xattrs | undefined,
    kind: 'file' | 'directory' | 'special',
    path: string,
    set: (name: string, value: Buffer) => void,
  ): void {
    for (const [name, value] of keptXattrs(this.#options.abilities, xattrs, kind)) {
      try {
        this.#unlessRefused('xattr', path, () => set(name, value));
      } catch (error) {
        // Some file systems have little room for attributes, however much they have for files.
        const what = `the extended attribute ${quote(shownName(name))} (${value.length} bytes)`;
        throw targetError(error, `cannot set ${what} of ${quote(shownName(path))}`);
      }
    }
  }

  #unlessRefused(what: Refused, path: string, make: () => void): boolean {
    try {
      make();
      return true;
    } catch (error) {
      if (!REFUSED.includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
      this.#options.onRefused(what, path);
      return false;
    }
  }
}
