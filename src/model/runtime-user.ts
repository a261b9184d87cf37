import { LadingError, quote } from './errors.js';

/** Whom a process runs as (runtime-spec, "User"). */
export interface RuntimeUser {
  readonly uid: number;
  readonly gid: number;
  readonly additionalGids?: readonly number[];
}

/** The two files of an image that know names, relative to its root. */
export type UserFile = 'etc/passwd' | 'etc/group';
const PASSWD: UserFile = 'etc/passwd';
const GROUP: UserFile = 'etc/group';

/** The texts of the files that the image has. */
export type UserFiles = ReadonlyMap<UserFile, string>;

/** Larger files are not read. */
export const MAX_USER_FILE_BYTES = 1024 * 1024;

/** The largest user or group id; the one above means "leave it" to chown(2). */
const MAX_ID = 2 ** 32 - 2;

/** The files that tell what `User` of an image config means. Numbers with a group need none. */
export function userFilesOf(text: string): readonly UserFile[] {
  const { user, group } = partsOf(text);
  if (user === '') return group === undefined || isId(group) ? [] : [GROUP];
  if (group === undefined) return isId(user) ? [PASSWD] : [PASSWD, GROUP];
  return [PASSWD, GROUP].filter((file) => !isId(file === PASSWD ? user : group));
}

/**
 * What `User` of an image config means: `uid`, `name`, each also with `:gid` or `:group` (image-spec, "conversion").
 * Empty is root. A named user without a group has its further groups too. Throws ERR_USER_UNKNOWN.
 */
export function runtimeUserOf(text: string, files: UserFiles): RuntimeUser {
  const { user, group } = partsOf(text);
  const known = user === '' ? { uid: 0, gid: 0 } : findUser(user, files);
  if (group !== undefined) return { uid: known.uid, gid: isId(group) ? Number(group) : findGroup(group, files) };
  if (user === '' || isId(user)) return known;
  const others = groupsOf(user, files).filter((gid) => gid !== known.gid);
  return others.length === 0 ? known : { ...known, additionalGids: [...new Set(others)] };
}

function partsOf(text: string): { readonly user: string; readonly group: string | undefined } {
  const colon = text.indexOf(':');
  if (colon === -1) return { user: text, group: undefined };
  return { user: text.slice(0, colon), group: text.slice(colon + 1) || undefined };
}

function isId(text: string): boolean {
  return /^[0-9]{1,10}$/.test(text) && Number(text) <= MAX_ID;
}

/** The first line that fits decides, as for the C library. */
function findUser(user: string, files: UserFiles): { readonly uid: number; readonly gid: number } {
  for (const [name, , uid = '', gid = ''] of linesOf(files.get(PASSWD))) {
    if (!isId(uid) || !isId(gid)) continue;
    if (isId(user) ? Number(uid) === Number(user) : name === user) return { uid: Number(uid), gid: Number(gid) };
  }
  if (isId(user)) return { uid: Number(user), gid: 0 };
  throw unknown('user', user, PASSWD);
}

function findGroup(group: string, files: UserFiles): number {
  for (const [name, , gid = ''] of linesOf(files.get(GROUP))) if (name === group && isId(gid)) return Number(gid);
  throw unknown('group', group, GROUP);
}

function groupsOf(user: string, files: UserFiles): readonly number[] {
  return linesOf(files.get(GROUP)).flatMap(([, , gid = '', members = '']) =>
    isId(gid) && members.split(',').includes(user) ? [Number(gid)] : [],
  );
}

function linesOf(text = ''): readonly (readonly string[])[] {
  return text.split('\n').map((line) => line.trim().split(':'));
}

function unknown(what: 'user' | 'group', name: string, file: UserFile): LadingError {
  const message = `the ${what} ${quote(name)} of the image is not in its ${file}; give numbers in the image's config`;
  return new LadingError('ERR_USER_UNKNOWN', message, { details: { [what]: name, file } });
}
