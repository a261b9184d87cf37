import { posix } from 'node:path';
import { LadingError, quote } from './errors.js';

/** C0 and C1 controls, DEL among them. */
const CONTROL = /\p{Cc}/u;

/** Refuses a name that no image archive needs and that could hurt: absolute, `..`, control characters. ERR_TAR_ENTRY. */
export function checkEntryName(name: string, maxBytes: number): void {
  if (name === '') throw badEntry(name, 'has no name');
  if (Buffer.byteLength(name) > maxBytes) throw badEntry(name, `has a name of more than ${maxBytes} bytes`);
  if (CONTROL.test(name)) throw badEntry(name, 'has control characters in its name');
  if (name.startsWith('/')) throw badEntry(name, 'has an absolute name');
  if (name.split('/').includes('..')) throw badEntry(name, 'has ".." in its name');
}

/** The entry that a link means: a symlink counts from its own folder, a hard link from the archive's root. */
export function linkTarget(name: string, type: 'symlink' | 'link', linkname: string): string {
  return posix.normalize(type === 'symlink' ? posix.join(posix.dirname(name), linkname) : linkname);
}

/** Refuses a link that leads out of the archive. ERR_TAR_ENTRY. */
export function checkLink(name: string, type: 'symlink' | 'link', linkname: string): void {
  if (linkname === '' || CONTROL.test(linkname)) throw badEntry(name, 'is a link without a proper target');
  const target = linkTarget(name, type, linkname);
  if (linkname.startsWith('/') || target === '..' || target.startsWith('../')) {
    throw badEntry(name, `is a link out of the archive, to ${quote(linkname)}`);
  }
}

/** An ERR_TAR_ENTRY that names the entry. */
export function badEntry(name: string, what: string): LadingError {
  return new LadingError('ERR_TAR_ENTRY', `the archive's entry ${quote(name)} ${what}`, { details: { entry: name } });
}
