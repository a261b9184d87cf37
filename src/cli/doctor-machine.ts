import { statfs } from 'node:fs/promises';
import path from 'node:path';
import { kernel } from '../files/kernel.js';
import { formatBytes } from '../model/shown-text.js';
import { failed, ok, warning, type Finding } from './finding.js';

/** The oldest Node.js that `package.json` allows. */
const LEAST_NODE = [20, 19] as const;

/** Node.js, and whether native calls are to be had. */
export function checkProgram(version: string, environment: NodeJS.ProcessEnv): readonly Finding[] {
  const [major = 0, minor = 0] = version.replace(/^v/, '').split('.').map(Number);
  const isOld = major < LEAST_NODE[0] || (major === LEAST_NODE[0] && minor < LEAST_NODE[1]);
  const node = isOld
    ? failed('node', `Node ${version}`, `install Node ${LEAST_NODE.join('.')} or later`)
    : ok('node', `Node ${version}`);
  return [node, nativeCalls(environment)];
}

function nativeCalls(environment: NodeJS.ProcessEnv): Finding {
  if (environment['LADING_NATIVE'] === 'off')
    return warning('native calls', 'turned off by LADING_NATIVE=off; large images pass more slowly through pipes');
  if (kernel() !== undefined) return ok('native calls', 'used for pipes');
  return warning(
    'native calls',
    'not to be had; large images pass more slowly through pipes',
    'on Linux, install the optional package koffi',
  );
}

/** The variables that Lading reads. */
const VARIABLES = ['LADING_STORE', 'LADING_NATIVE', 'LADING_PROGRESS'];

/** The variables that are in force, and those that look like ours and are not. */
export function checkVariables(environment: NodeJS.ProcessEnv): readonly Finding[] {
  const own = Object.entries(environment).filter(([name, value]) => name.startsWith('LADING_') && value !== '');
  const [known, unknown] = [
    own.filter(([name]) => VARIABLES.includes(name)),
    own.filter(([name]) => !VARIABLES.includes(name)),
  ];
  const text = known.map(([name, value]) => `${name}=${value}`).join(', ');
  return [
    ok('environment', text === '' ? 'sets nothing' : text),
    ...unknown.map(([name]) =>
      warning('environment', `${name} is none of ours, and does nothing`, `unset ${name}, or correct its name`),
    ),
  ];
}

/** File systems on other machines, by the number that statfs(2) gives them. */
const NETWORK: Readonly<Record<number, string>> = {
  0x6969: 'NFS',
  0x517b: 'SMB',
  0xfe534d42: 'SMB',
  0xff534d42: 'CIFS',
  0x01021997: '9p',
  0x00c36400: 'Ceph',
  0x5346414f: 'AFS',
  0x47504653: 'GPFS',
  0x0bd00bd0: 'Lustre',
};

/** A disk is told as nearly full above this part of it. */
const NEARLY_FULL = 0.95;

/** The kind of the file system, and its free bytes and inodes. `folder` must exist. */
export async function checkDisk(folder: string): Promise<readonly Finding[]> {
  const { type, bsize, blocks, bavail, files, ffree } = await statfs(path.resolve(folder));
  const network = NETWORK[type];
  const [free, all] = [bavail * bsize, blocks * bsize];
  const text = `${formatBytes(free)} free of ${formatBytes(all)}${files > 0 ? `, ${ffree} free inodes` : ''}`;
  const isFull = free < all * (1 - NEARLY_FULL) || (files > 0 && ffree < files * (1 - NEARLY_FULL));
  return [
    isFull ? warning('disk', text, 'free some space; lading prune --dry-run says what could go') : ok('disk', text),
    ...(network === undefined
      ? []
      : [warning('file system', `${network}, on another machine; a crash may lose blobs`, 'use a local disk')]),
  ];
}
