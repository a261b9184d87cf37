import { LadingError } from '../model/errors.js';
import {
  imageProcessOf,
  runtimeConfigOf,
  SHELL,
  type BundleCaller,
  type ImageProcess,
} from '../model/runtime-config.js';
import {
  MAX_USER_FILE_BYTES,
  runtimeUserOf,
  userFilesOf,
  type RuntimeUser,
  type UserFile,
} from '../model/runtime-user.js';
import { labelOfRecord, type Warning } from '../survey/reports.js';
import { callerIds } from '../stores/rootfs/caller.js';
import type { ChosenImage } from './choose-manifest.js';
import type { PlannedTree } from './plan-tree.js';
import type { TreePart } from './read-files.js';

/** What is to run in a bundle of this image. Throws ERR_DOCUMENT_INVALID. */
export function bundledProcess({ config, configDigest }: ChosenImage): ImageProcess {
  return imageProcessOf(config, configDigest);
}

/** The files of the tree that the config of a bundle needs. */
export function bundleFinds(image: ChosenImage): readonly UserFile[] {
  return userFilesOf(bundledProcess(image).user);
}

/**
 * The `config.json` of a bundle. Sees the files of the tree pass and takes what it needs of them; as soon as it has all,
 * ERR_USER_UNKNOWN is thrown for a name that they do not have. Holds two files of 1 MiB at most.
 */
export class BundleConfig {
  readonly #image: ChosenImage;
  readonly #asked: ImageProcess;
  readonly #caller: BundleCaller;
  /** The files that are still to come. */
  readonly #awaited: Map<number, Buffer[]>;
  readonly #files: PlannedTree['found'];
  readonly #texts = new Map<UserFile, string>();
  /** The file whose body comes. */
  #open: number | undefined;
  #user: RuntimeUser | undefined;

  constructor({ image, found, files }: PlannedTree) {
    this.#image = image;
    this.#asked = bundledProcess(image);
    this.#caller = bundleCaller();
    this.#files = found;
    for (const [path, file] of found) if (files.sizeOf(file) > MAX_USER_FILE_BYTES) throw tooLarge(path);
    this.#awaited = new Map([...found.values()].map((file) => [file, []]));
    this.#settle();
  }

  /** Whether the user is known, so that no more files need be seen. */
  get isSettled(): boolean {
    return this.#user !== undefined;
  }

  /** Looks at the next part of the tree. Throws ERR_USER_UNKNOWN. */
  see(part: TreePart): void {
    if (part.kind === 'special' || this.isSettled) return;
    if (part.kind === 'file') {
      const { node } = part.inode;
      this.#open = typeof node === 'number' && this.#awaited.has(node) ? node : undefined;
      if (part.entry.bodySize > 0) return;
    } else if (this.#open !== undefined) this.#awaited.get(this.#open)?.push(Buffer.from(part.bytes));
    if (this.#open !== undefined && (part.kind === 'file' || part.isLast)) this.#take(this.#open);
  }

  #take(file: number): void {
    const text = Buffer.concat(this.#awaited.get(file) ?? []).toString('utf8');
    // Both names may be those of one file. The paths are those that were asked for.
    for (const [path, one] of this.#files) if (one === file) this.#texts.set(path as UserFile, text);
    this.#awaited.delete(file);
    this.#open = undefined;
    this.#settle();
  }

  #settle(): void {
    if (this.#awaited.size === 0) this.#user = runtimeUserOf(this.#asked.user, this.#texts);
  }

  get warnings(): readonly Warning[] {
    const image = labelOfRecord(this.#image.record);
    const noCommand = `${image} has neither an entrypoint nor a command; the bundle runs ${SHELL.join(' ')}`;
    const noUser = `the user of ${image} cannot exist in a bundle that is not root's; the bundle runs as 0:0`;
    return [
      ...(this.#asked.args.length === 0 ? [{ code: 'WARN_BUNDLE_COMMAND', message: noCommand, image } as const] : []),
      ...(this.#losesUser() ? [{ code: 'WARN_BUNDLE_USER', message: noUser, image } as const] : []),
    ];
  }

  #losesUser(): boolean {
    const { uid, gid, additionalGids } = this.#settled();
    return this.#caller !== 'root' && (uid !== 0 || gid !== 0 || additionalGids !== undefined);
  }

  /** The bytes, the same for the same image and caller. All files must have been seen. */
  bytes(): string {
    const user = this.#caller === 'root' ? this.#settled() : { uid: 0, gid: 0 };
    const config = runtimeConfigOf(this.#image.config, this.#asked, { user, caller: this.#caller });
    return `${JSON.stringify(config, null, 2)}\n`;
  }

  #settled(): RuntimeUser {
    if (this.#user !== undefined) return this.#user;
    throw new LadingError('ERR_STORAGE_IO', 'the files of the image that name its user were not read');
  }
}

function bundleCaller(): BundleCaller {
  const ids = callerIds();
  return ids.uid === 0 ? 'root' : ids;
}

function tooLarge(path: string): LadingError {
  const message = `${path} of the image has more than ${MAX_USER_FILE_BYTES} bytes; give numbers in the image's config`;
  return new LadingError('ERR_USER_UNKNOWN', message, { details: { file: path } });
}
