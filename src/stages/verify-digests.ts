import { digestMismatch } from '../content/mismatch.js';
import { Stage } from '../flow/stage.js';
import { digestOfEntry, plainEntryName } from '../model/archive-layout.js';
import { algorithmOf, Digester, type Digest } from '../model/digest.js';
import { LadingError } from '../model/errors.js';
import { ENTRY, type ArchiveEntry, type VerifiedEntry } from './records.js';

/**
 * Hashes each body as it passes. The body of `blobs/<algorithm>/<hex>` throws ERR_DIGEST_MISMATCH at its end if it
 * hashes to another digest; any other body is hashed with sha256. A body whose size differs from that of its entry
 * throws ERR_SIZE_MISMATCH. Holds no bytes.
 */
export class VerifyDigests<Entry extends ArchiveEntry = ArchiveEntry> extends Stage<Entry, VerifiedEntry<Entry>> {
  protected override readonly rule = ENTRY;

  constructor() {
    super({ highWaterMark: 1 });
  }

  protected override *each(entry: Entry): Generator<VerifiedEntry<Entry>> {
    const expected = entry.digest ?? digestOfEntry(plainEntryName(entry.name));
    const digester = new Digester(expected && algorithmOf(expected));
    yield { ...entry, ...(expected && { digest: expected }), digester, body: verified(entry, expected, digester) };
  }
}

async function* verified(
  entry: ArchiveEntry,
  expected: Digest | undefined,
  digester: Digester,
): AsyncGenerator<Uint8Array> {
  for await (const chunk of entry.body) {
    digester.update(chunk);
    yield chunk;
  }
  if (digester.size !== entry.size) throw wrongSize(expected ?? entry.name, entry.size, digester.size);
  if (expected !== undefined && digester.digest() !== expected) throw digestMismatch(expected, digester.digest());
}

function wrongSize(what: string, expected: number, size: number): LadingError {
  const message = `blob ${what}: ${size} bytes instead of ${expected}; it is damaged or was changed meanwhile`;
  return new LadingError('ERR_SIZE_MISMATCH', message, { details: { expected, size } });
}
