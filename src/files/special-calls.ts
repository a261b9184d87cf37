import { openNative, type Native } from './native.js';

/** A device or fifo. */
export interface SpecialFile {
  readonly kind: 'character' | 'block' | 'fifo';
  readonly major: number;
  readonly minor: number;
}

/** Linux calls that make what Node.js cannot make. Names and values are bytes. Errors are like those of Node.js. */
export interface SpecialCalls {
  /** Makes a device or fifo with mode 0600, less the umask. Throws EEXIST, EPERM. */
  makeNode(path: Buffer, file: SpecialFile): void;
  /** Gives an open file an extended attribute. */
  setXattr(fd: number, name: string, value: Buffer): void;
  /** Gives what the path names an extended attribute. A link is not followed. */
  setLinkXattr(path: Buffer, name: string, value: Buffer): void;
}

const AT_FDCWD = -100;
const MODES = { character: 0o20600, block: 0o60600, fifo: 0o10600 } as const;

/** Device numbers that the kernel can hold: 12 and 20 bits. */
const MAX_MAJOR = 0xfff;
const MAX_MINOR = 0xf_ffff;

/** Whether the kernel can hold these numbers. */
export function isDevice({ major, minor }: Pick<SpecialFile, 'major' | 'minor'>): boolean {
  return major <= MAX_MAJOR && minor <= MAX_MINOR;
}

let loaded: { readonly calls: SpecialCalls | undefined } | undefined;

/** The calls, or undefined where they are not to be had (see {@link openNative}). */
export function specialCalls(): SpecialCalls | undefined {
  loaded ??= { calls: load() };
  return loaded.calls;
}

function load(): SpecialCalls | undefined {
  const native = openNative();
  if (native === undefined) return undefined;
  try {
    return callsOf(native);
  } catch {
    // The GNU C library before 2.33 has no mknodat.
    return undefined;
  }
}

function callsOf({ declare, checked }: Native): SpecialCalls {
  const mknodat = declare('int mknodat(int folder, const void *path, unsigned int mode, uint64_t device)');
  const fsetxattr = declare('int fsetxattr(int fd, const void *name, const void *value, size_t bytes, int flags)');
  const lsetxattr = declare(
    'int lsetxattr(const void *path, const void *name, const void *value, size_t bytes, int flags)',
  );
  return {
    makeNode: (path, file) => {
      const device = file.kind === 'fifo' ? 0 : deviceOf(file);
      checked('mknodat', mknodat(AT_FDCWD, cString(path), MODES[file.kind], device));
    },
    setXattr: (fd, name, value) => {
      checked('fsetxattr', fsetxattr(fd, cString(Buffer.from(name, 'latin1')), value, value.length, 0));
    },
    setLinkXattr: (path, name, value) => {
      const [file, attribute] = [cString(path), cString(Buffer.from(name, 'latin1'))];
      checked('lsetxattr', lsetxattr(file, attribute, value, value.length, 0));
    },
  };
}

function cString(bytes: Buffer): Buffer {
  return Buffer.concat([bytes, Buffer.of(0)]);
}

/** Linux, `makedev`, as far as the kernel can hold. */
function deviceOf({ major, minor }: SpecialFile): number {
  return (minor & 0xff) + major * 0x100 + (minor >>> 8) * 0x10_0000;
}
