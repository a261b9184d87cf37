import assert from 'node:assert/strict';
import { readdir, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { blobPath } from '../fixtures/archive-entries.js';
import { jsonOf, workspace, type PrintedError } from '../fixtures/cli-workspace.js';
import { DAMAGES } from '../fixtures/damage.js';
import { FAMILIAR } from '../fixtures/example.js';
import { sampleOf } from '../fixtures/extent.js';

/** Two 512-byte blocks of zeros: the end of a whole tar. */
const END = Buffer.alloc(1024);

const PLATFORM = 'linux/amd64';
const KINDS = { ...DAMAGES, 'is deleted': async (file: string): Promise<void> => await rm(file) };

for (const [what, damage] of sampleOf(Object.entries(KINDS), 3, 'damages that are saved')) {
  for (const part of ['layer', 'manifest'] as const) {
    test(`writes nothing that could pass for a whole archive if a ${part} ${what}`, async (t) => {
      const { at, run, folder, store, built } = await workspace(t, { loaded: true });
      const { layers = [] } = built.blobs.links(built.of(PLATFORM).digest);
      const digests = { layer: layers[0], manifest: built.of(PLATFORM) };
      const { digest } = digests[part] ?? built.root;
      await damage(path.join(store, blobPath(digest)));
      await writeFile(at('old.tar'), 'what was there before');
      const names = (await readdir(folder)).toSorted();
      // Names the platform: a save without one would leave out a missing platform, with a warning.
      const save = ['save', '--json', '--platform', PLATFORM, FAMILIAR] as const;
      for (const file of ['new.tar', 'old.tar']) {
        const { status, stderr } = await run([...save, '-o', at(file)]);
        assert.ok([4, 5, 8].includes(status ?? 0), `exit ${status}`);
        assert.match(jsonOf<PrintedError>(stderr).error.code, /^ERR_/);
      }
      assert.deepEqual((await readdir(folder)).toSorted(), names);
      const piped = await run(save);
      assert.ok([4, 5, 8].includes(piped.status ?? 0), `exit ${piped.status}`);
      assert.ok(!piped.output.subarray(-END.length).equals(END), 'the archive ends well');
      assert.deepEqual(await readdir(path.join(store, '.lading', 'leases')), []);
    });
  }
}
