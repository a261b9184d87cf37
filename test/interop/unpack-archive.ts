import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { output } from '../fixtures/command.js';
import { temporaryFolder } from './workspace.js';

/** Unpacks an archive with GNU tar into a folder of the test's own, and returns the folder. */
export async function unpackArchive(t: TestContext, archive: string): Promise<string> {
  const folder = join(await temporaryFolder(t), 'layout');
  await mkdir(folder);
  await output('tar', ['-xf', archive, '-C', folder]);
  return folder;
}
