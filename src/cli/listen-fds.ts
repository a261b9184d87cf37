import { existsSync, readFileSync, readlinkSync } from 'node:fs';
import { LadingError } from '../model/errors.js';

/** The first file descriptor that systemd passes (sd_listen_fds(3)). */
const FIRST_FD = 3;

/** A socket that was passed to this process. */
export interface PassedSocket {
  readonly fd: number;
  readonly isTcp: boolean;
}

/** Returns the sockets that systemd opened for this process, and removes their variables: they are not for children. */
export function takePassedSockets(): readonly PassedSocket[] {
  const { LISTEN_PID: pid, LISTEN_FDS: count } = process.env;
  delete process.env['LISTEN_PID'];
  delete process.env['LISTEN_FDS'];
  delete process.env['LISTEN_FDNAMES'];
  if (Number(pid) !== process.pid || !/^[0-9]{1,3}$/.test(count ?? '')) return [];
  return Array.from({ length: Number(count) }, (_, at) => ({ fd: FIRST_FD + at, isTcp: isTcp(FIRST_FD + at) }));
}

/**
 * Whether a socket's inode is in /proc/net/tcp or tcp6 (proc(5), tenth column). Both list only the process's own
 * network namespace: with PrivateNetwork= a passed TCP socket is in neither, so the listener checks again.
 */
function isTcp(fd: number): boolean {
  const inode = inodeOf(fd);
  const tables = ['/proc/net/tcp', '/proc/net/tcp6'].map((file) =>
    existsSync(file) ? readFileSync(file, 'utf8') : '',
  );
  return tables.some((table) => table.split('\n').some((row) => row.trim().split(/\s+/)[9] === inode));
}

function inodeOf(fd: number): string {
  const target = existsSync(`/proc/self/fd/${fd}`) ? readlinkSync(`/proc/self/fd/${fd}`) : '';
  const inode = /^socket:\[(\d+)\]$/.exec(target)?.[1];
  if (inode !== undefined) return inode;
  throw new LadingError('ERR_OPTION_INVALID', `file descriptor ${fd} of LISTEN_FDS is not a socket`);
}
