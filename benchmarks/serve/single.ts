import { rm } from 'node:fs/promises';
import path from 'node:path';
import { LADING } from '../../test/fixtures/cli-workspace.js';
import { startEngineProcess } from '../../test/fixtures/engine-process.js';
import { requestOver } from '../../test/fixtures/engine.js';
import { writeImageArchive } from '../../test/fixtures/image-archive.js';
import { measure, quoted } from '../measure.js';

const ROUNDS = 5;
const URL = 'http://lading/v1.52/images';

/** Seconds of one archive by the command and by curl over a unix socket, round by round; the command first. */
export interface Comparison {
  readonly what: string;
  readonly command: readonly number[];
  readonly socket: readonly number[];
}

/** Saves and loads one image by the command and over a socket, in turns. `folder` is new; it takes three copies. */
export async function compareSingle(folder: string, socket: string, bytes: number): Promise<readonly Comparison[]> {
  const archive = await writeImageArchive(path.join(folder, 'one.tar'), 'one', bytes);
  const [own, served] = ['own', 'served'].map((name) => path.join(folder, name));
  if (own === undefined || served === undefined) return [];
  const curl = (...args: readonly string[]): string =>
    quoted('curl', '--silent', '--fail', '--unix-socket', socket, ...args);
  const engine = await startEngineProcess(served, socket, ['--audit-log', '/dev/null']);
  const save: Comparison & { command: number[]; socket: number[] } = { what: 'save', command: [], socket: [] };
  const load: Comparison & { command: number[]; socket: number[] } = { what: 'load', command: [], socket: [] };
  const upload = curl('-X', 'POST', '-H', 'Expect:', '-T', archive, `${URL}/load?quiet=1`);
  try {
    for (let round = 0; round < ROUNDS; round += 1) {
      await rm(own, { recursive: true, force: true });
      await requestOver({ socketPath: socket, agent: false }, 'DELETE', '/images/one:1');
      load.command.push(await seconds(`${quoted('cat', archive)} | ${lading('load', '--quiet', '--store', own)}`));
      load.socket.push(await seconds(upload));
      save.command.push(await seconds(`${lading('save', '--store', own, 'one:1')} | cat > /dev/null`));
      save.socket.push(await seconds(curl('-o', '/dev/null', `${URL}/get?names=one:1`)));
    }
  } finally {
    await engine.stop();
  }
  return [save, load];
}

function lading(...args: readonly string[]): string {
  return quoted(process.execPath, LADING, ...args);
}

async function seconds(command: string): Promise<number> {
  return (await measure(`${command} > /dev/null`)).wallMs / 1000;
}
