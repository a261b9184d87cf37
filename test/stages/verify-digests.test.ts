import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { entryNameOf } from '../../src/model/archive-layout.js';
import { digestOf } from '../../src/model/digest.js';
import type { ArchiveEntry, VerifiedEntry } from '../../src/stages/records.js';
import { VerifyDigests } from '../../src/stages/verify-digests.js';
import { seededBytes } from '../fixtures/seeded.js';
import { runStage, stageSuite } from '../suites/stage-suite.js';
import { bytesOf } from '../suites/stored.js';
import { Bodies, first } from './bodies.js';

const piped = new Bodies();
const CONTENT = seededBytes('content', 100_000);

async function verify(entry: ArchiveEntry): Promise<VerifiedEntry> {
  const [verified] = await runStage<VerifiedEntry>([entry], new VerifyDigests());
  assert.ok(verified !== undefined);
  return verified;
}

stageSuite<ArchiveEntry, VerifiedEntry>('VerifyDigests', {
  make: () => new VerifyDigests(),
  inputs: () => first(50, piped.blobs()),
  read: async ({ body }) => void (await bytesOf(body)),
  maxAhead: 4,
  openBodies: () => piped.open,
});

describe('VerifyDigests', () => {
  for (const algorithm of ['sha256', 'sha384', 'sha512'] as const) {
    it(`passes a ${algorithm} blob that hashes to its name, and its digester sees every byte`, async () => {
      const digest = digestOf(CONTENT, algorithm);
      const { body, digester } = await verify(new Bodies().entry(entryNameOf(digest), CONTENT));
      assert.ok((await bytesOf(body)).equals(CONTENT));
      assert.deepEqual([digester.digest(), digester.size], [digest, CONTENT.length]);
    });

    it(`fails a ${algorithm} body at its end if one bit of it was changed`, async () => {
      const changed = Buffer.from(CONTENT);
      changed.writeUInt8(changed.readUInt8(50_000) ^ 1, 50_000);
      const digest = digestOf(CONTENT, algorithm);
      const { body } = await verify(new Bodies().entry(entryNameOf(digest), changed));
      const details = { digest, actual: digestOf(changed, algorithm) };
      await assert.rejects(bytesOf(body), { code: 'ERR_DIGEST_MISMATCH', details });
    });
  }

  it('recognizes a blob whose name starts with ./', async () => {
    const { body } = await verify(new Bodies().entry(`./${entryNameOf(digestOf('a'))}`, Buffer.from('b')));
    await assert.rejects(bytesOf(body), { code: 'ERR_DIGEST_MISMATCH' });
  });

  it('hashes any other body with sha256 and passes it', async () => {
    for (const name of ['layer.tar', 'blobs/sha256/short', 'blobs/md5/x', `a/${entryNameOf(digestOf('a'))}`]) {
      const { body, digester } = await verify(new Bodies().entry(name, CONTENT));
      assert.ok((await bytesOf(body)).equals(CONTENT));
      assert.equal(digester.digest(), digestOf(CONTENT));
    }
  });

  it('passes an empty blob', async () => {
    const { body } = await verify(new Bodies().entry(entryNameOf(digestOf('')), Buffer.alloc(0)));
    assert.equal((await bytesOf(body)).length, 0);
  });

  for (const size of [0, 99_999, 100_001]) {
    it(`fails a body of 100000 bytes in an entry of ${size} bytes`, async () => {
      for (const name of ['file', entryNameOf(digestOf(CONTENT))]) {
        const { body } = await verify({ ...new Bodies().entry(name, CONTENT), size });
        await assert.rejects(bytesOf(body), { code: 'ERR_SIZE_MISMATCH', details: { expected: size, size: 100_000 } });
      }
    });
  }

  it('reads nothing of a body before its reader asks', async () => {
    const bodies = new Bodies();
    await verify(bodies.entry('file', CONTENT));
    assert.equal(bodies.chunks, 0);
  });

  it('closes a body that is not read to its end', async () => {
    const bodies = new Bodies();
    const { body } = await verify(bodies.entry('file', CONTENT));
    for await (const _ of body) break;
    assert.deepEqual([bodies.chunks, bodies.open], [1, 0]);
  });

  it('passes on the error of a body', async () => {
    const failure = new Error('body');
    const entry = { ...new Bodies().entry('file', CONTENT), body: new Bodies().failing(failure, CONTENT) };
    await assert.rejects(bytesOf((await verify(entry)).body), failure);
  });
});
