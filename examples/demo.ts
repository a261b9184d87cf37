import { spawnSync } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { writeDemoArchive } from './demo-image.js';

/*
 * Builds a small image for 5 platforms in code, loads it into a store, saves 2 platforms of it to a tar, loads that into a
 * second store, and shows what each store has. Prints each command before it runs it. The folder stays, so that each
 * command can be repeated by hand.
 */

const folder = mkdtempSync(path.join(tmpdir(), 'lading-demo-'));
const command = path.resolve('dist', 'cli', 'main.js');

/** Runs `lading` with the arguments, in the demo's folder, and shows both. Ends the demo if it fails. */
function lading(...args: readonly string[]): void {
  console.log(`\n$ lading ${args.join(' ')}`);
  const { status } = spawnSync(process.execPath, [command, ...args], { cwd: folder, stdio: 'inherit' });
  if (status !== 0) throw new Error(`lading ${args[0]} ended with ${status}`);
}

async function main(): Promise<void> {
  const platforms = ['linux/amd64', 'linux/arm64', 'linux/arm/v7', 'linux/ppc64le', 'linux/s390x'];
  await writeDemoArchive(path.join(folder, 'demo.tar'), 'docker.io/example/demo:1', platforms);
  console.log(`An image for ${platforms.length} platforms was built in code: ${path.join(folder, 'demo.tar')}`);
  console.log(`\n$ cd ${folder}`);
  console.log(`$ alias lading="node ${command}"`);
  lading('load', '--store', 'first', '-i', 'demo.tar');
  lading('images', '--store', 'first');
  lading('save', '--store', 'first', '--platform', 'linux/amd64,linux/arm64', '-o', 'two.tar', 'example/demo:1');
  lading('load', '--store', 'second', '-i', 'two.tar');
  lading('inspect', '--store', 'second', 'example/demo:1');
  console.log('\nThree platforms are missing there on purpose: the save was asked for the two others only.');
  lading('verify', '--store', 'second');
  console.log(`\nThe folder is yours to look at; when done: rm -r ${folder}`);
}

main().catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
