import { posix } from 'node:path';
import { LadingError, quote } from './errors.js';

/** C0 and C1 control characters and DEL. */
const CONTROL = /\p{Cc}/u;

/**
 * Refuses dangerous names, which no image archive needs: `..`, control characters. A name that starts with a slash means
 * the root of the archive, and only a docker-archive may have one. Throws ERR_TAR_ENTRY.
 */
export function checkEntryName(name: string, maxBytes: number): void {
  if (name === '') throw badEntry(name, 'has no name');
  if (Buffer.byteLength(name) > maxBytes) throw badEntry(name, `has a name of more than ${maxBytes} bytes`);
  if (CONTROL.test(name)) throw badEntry(name, 'has control characters in its name');
  if (/^\/+$/.test(name)) throw badEntry(name, 'has no name');
  if (name.split('/').includes('..')) throw badEntry(name, 'has ".." in its name');
  // GNU tar and Go see another name: one drops the end, the other keeps it.
  if (name.endsWith('/.') && name !== './.') throw badEntry(name, 'has a name that ends in "/."');
}

/**
 * The name of a link's target: relative to its folder for a symlink, to the archive's root for a hard link, whose target
 * is the name of an entry and may start with a slash as that may.
 */
export function linkTarget(name: string, type: 'symlink' | 'link', linkname: string): string {
  const folder = posix.dirname(name).replace(/^\/+/, '');
  return posix.normalize(type === 'symlink' ? posix.join(folder, linkname) : linkname.replace(/^\/+/, ''));
}

/** Refuses a link that leads out of the archive. Throws ERR_TAR_ENTRY. */
export function checkLink(name: string, type: 'symlink' | 'link', linkname: string): void {
  if (linkname === '' || CONTROL.test(linkname)) throw badEntry(name, 'is a link without a valid target');
  const target = linkTarget(name, type, linkname);
  const isAbsolute = type === 'symlink' && linkname.startsWith('/');
  if (isAbsolute || target === '..' || target.startsWith('../')) {
    throw badEntry(name, `is a link out of the archive, to ${quote(linkname)}`);
  }
}

/** An ERR_TAR_ENTRY that names the entry. */
export function badEntry(name: string, what: string): LadingError {
  return new LadingError('ERR_TAR_ENTRY', `the archive's entry ${quote(name)} ${what}`, { details: { entry: name } });
}
