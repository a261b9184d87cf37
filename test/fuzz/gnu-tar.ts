import { spawnSync } from 'node:child_process';
import type { SeenEntry } from './reference-tar.js';

const TYPES: Readonly<Record<string, SeenEntry['type']>> = {
  '-': 'file',
  C: 'file',
  d: 'directory',
  l: 'symlink',
  h: 'link',
};

/** The first letter of a line for a volume label, which is no entry. */
const LABEL = 'V';

/** The entries that GNU tar lists; undefined without GNU tar. Throws an error if it refuses the archive. */
export function listWithGnuTar(archive: Buffer): Omit<SeenEntry, 'digest'>[] | undefined {
  const options = ['--list', '--verbose', '--numeric-owner', '--quoting-style=literal', '--show-stored-names', '--utc'];
  const env = { ...process.env, LC_ALL: 'C.UTF-8' };
  const { status, error, stdout, stderr } = spawnSync('tar', [...options, '--file=-'], { input: archive, env });
  if (error !== undefined) return undefined;
  if (status !== 0) throw new Error(`GNU tar: ${String(stderr)}`);
  const lines = stdout.toString('utf8').split('\n');
  return lines.filter((line) => line !== '' && !line.startsWith(LABEL)).map(entryOf);
}

/** `-rw-r--r-- 0/0   5 1970-01-01 00:00 name`, and after the name ` -> target` or ` link to target`. */
function entryOf(line: string): Omit<SeenEntry, 'digest'> {
  const match = /^(\S)\S+ \S+ +(\d+) \S+ \S+ (.*)$/s.exec(line);
  const type = TYPES[match?.[1] ?? ''];
  if (match === null || type === undefined) throw new Error(`GNU tar lists ${JSON.stringify(line)}`);
  const [, , size = '', rest = ''] = match;
  const separator = type === 'symlink' ? ' -> ' : ' link to ';
  const isLink = type === 'symlink' || type === 'link';
  const at = isLink ? rest.indexOf(separator) : -1;
  const [name, linkname] = at === -1 ? [rest, ''] : [rest.slice(0, at), rest.slice(at + separator.length)];
  return { name, type, size: type === 'file' ? Number(size) : 0, linkname };
}
