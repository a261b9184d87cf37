import { readFileSync, readlinkSync } from 'node:fs';

/** The first file descriptor that systemd passes (sd_listen_fds(3)). */
const FIRST_FD = 3;

/** A socket that was passed to this process. */
export interface PassedSocket {
  readonly fd: number;
  readonly isTcp: boolean;
}

/** The sockets that systemd opened for this process, and takes note of them: child processes must not use them too. */
export function takePassedSockets(): readonly PassedSocket[] {
  const { LISTEN_PID: pid, LISTEN_FDS: count } = process.env;
  delete process.env['LISTEN_PID'];
  delete process.env['LISTEN_FDS'];
  delete process.env['LISTEN_FDNAMES'];
  if (Number(pid) !== process.pid || !/^[0-9]{1,3}$/.test(count ?? '')) return [];
  return Array.from({ length: Number(count) }, (_, at) => ({ fd: FIRST_FD + at, isTcp: !isUnix(FIRST_FD + at) }));
}

/** A socket whose inode is in /proc/net/unix (proc(5), seventh column). */
function isUnix(fd: number): boolean {
  const inode = /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/self/fd/${fd}`))?.[1];
  const rows = readFileSync('/proc/net/unix', 'utf8').split('\n');
  return rows.some((row) => row.trim().split(/\s+/)[6] === inode);
}
