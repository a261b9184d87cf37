import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { digestOfEntry, entryNameOf } from '../../src/model/archive-layout.js';
import { digestOf } from '../../src/model/digest.js';
import { EntryLedger, type LedgerEntry } from '../../src/model/entry-ledger.js';
import { limitsOf } from '../../src/model/limits.js';

const BLOB = entryNameOf(digestOf('x'));

/** Enters an entry as SelectEntries does. */
function enter(ledger: EntryLedger, name: string, type: LedgerEntry['type'], linkname?: string, size = 9): boolean {
  const digest = digestOfEntry(name);
  return ledger.enter({ name, type, size, ...(linkname && { linkname }), ...(digest && { digest }) });
}

describe('EntryLedger', () => {
  it('finds blobs and layout documents that occur twice, and takes other names any number of times', () => {
    const ledger = new EntryLedger(limitsOf());
    for (const name of [BLOB, 'index.json', 'oci-layout', 'manifest.json', 'other', 'other'])
      assert.equal(enter(ledger, name, 'file'), false);
    for (const name of [BLOB, 'index.json', 'oci-layout', 'manifest.json']) {
      assert.equal(enter(ledger, name, 'file'), true);
      const other = (): boolean => enter(ledger, name, 'file', undefined, 8);
      assert.throws(other, { code: 'ERR_TAR_ENTRY', details: { entry: name } });
    }
  });

  it('refuses a link beside a file with the name of a blob or layout document, in any order', () => {
    for (const type of ['link', 'symlink'] as const) {
      for (const name of [BLOB, 'index.json']) {
        for (const types of [[type, 'file'] as const, ['file', type] as const]) {
          const ledger = new EntryLedger(limitsOf());
          enter(ledger, name, types[0], 'x');
          assert.throws(() => enter(ledger, name, types[1], 'x'), { code: 'ERR_TAR_ENTRY' });
        }
      }
    }
  });

  it('counts links with the name of a blob among the other entries', () => {
    const ledger = new EntryLedger(limitsOf({ maxOtherEntries: 1 }));
    enter(ledger, BLOB, 'symlink', 'x');
    assert.throws(() => enter(ledger, 'index.json', 'symlink', 'x'), { code: 'ERR_LIMIT_ENTRIES' });
  });

  it('counts other entries, and the bytes of their names and link names', () => {
    const few = new EntryLedger(limitsOf({ maxOtherEntries: 1 }));
    enter(few, 'a', 'file');
    enter(few, BLOB, 'file');
    assert.throws(() => enter(few, 'b', 'file'), { code: 'ERR_LIMIT_ENTRIES' });
    const short = new EntryLedger(limitsOf({ maxOtherNameBytes: 4 }));
    enter(short, 'é', 'symlink', 'é');
    assert.throws(() => enter(short, 'b', 'file'), { code: 'ERR_LIMIT_BYTES' });
  });

  it('lists layout documents that also occur in another case, each once', () => {
    const ledger = new EntryLedger(limitsOf());
    for (const name of ['INDEX.JSON', 'Index.Json', 'index.json', 'MANIFEST.json', 'a/INDEX.JSON'])
      enter(ledger, name, 'file');
    assert.deepEqual(ledger.lookalikes, ['index.json', 'manifest.json']);
  });
});
