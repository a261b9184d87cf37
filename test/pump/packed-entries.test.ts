import assert from 'node:assert/strict';
import { test } from 'node:test';
import { entryNameOf } from '../../src/model/archive-layout.js';
import { digestOf, encodedOf } from '../../src/model/digest.js';
import { packEntries, unpackEntries } from '../../src/pump/packed-entries.js';
import type { PumpEntry } from '../../src/pump/pump-tasks.js';

const blobs = ['a', 'b', 'c'].map((text) => digestOf(text));

test('entries are the same behind the way to a thread', () => {
  const [first = digestOf(''), ...others] = blobs;
  const plain = others.map((digest, at) => ({
    name: entryNameOf(digest),
    type: 'file' as const,
    size: at,
    mode: 0o444,
    digest,
    file: `/store ${at}/blobs/${encodedOf(digest)}`,
  }));
  const entries: readonly PumpEntry[] = [
    { name: 'blobs/', type: 'directory', size: 0, mode: 0o755, bytes: Buffer.alloc(0) },
    { name: 'oci-layout', type: 'file', size: 3, mode: 0o444, bytes: Buffer.from('abc') },
    ...plain,
    { name: 'other', type: 'file', size: 7, mode: 0o600, digest: first, file: `/x/${encodedOf(first)}` },
    { name: entryNameOf(first), type: 'file', size: 7, mode: 0o600, digest: first, file: '/x/other' },
  ];
  const packed = packEntries(entries);
  assert.deepEqual([...unpackEntries(structuredClone(packed))].map(bytesAsText), entries.map(bytesAsText));
  assert.deepEqual(packed.folders, ['/store 0/blobs', '/store 1/blobs']);
});

test('many blobs of one folder take little more than their digests', () => {
  const entries = Array.from({ length: 1000 }, (_, at) => {
    const digest = digestOf(String(at));
    const file = `/a/long/path/to/a/store/blobs/sha256/${encodedOf(digest)}`;
    return { name: entryNameOf(digest), type: 'file' as const, size: 10_000, mode: 0o444, digest, file };
  });
  assert.ok(packEntries(entries).rows.length < 100 * entries.length);
});

function bytesAsText(entry: PumpEntry): object {
  return 'bytes' in entry ? { ...entry, bytes: Buffer.from(entry.bytes).toString() } : entry;
}
