import { rawHeader } from '../fixtures/tar-builder.js';

const PREFIX = 'blobs/sha256/';
const DIGITS = 8;
const ENTRIES_A_CHUNK = 512;

/**
 * Headers of `count` empty blobs, each with a different digest that no image needs, in chunks of 256 KiB. `first` is the
 * number in the first name.
 */
export function* tinyEntries(count: number, first = 0): Generator<Buffer> {
  const template = rawHeader({ name: `${PREFIX}${'0'.repeat(64)}` });
  // The template's checksum counts the zeros that the digits replace.
  const restOfSum = Number.parseInt(template.toString('latin1', 148, 154), 8) - DIGITS * 0x30;
  for (let at = 0; at < count; at += ENTRIES_A_CHUNK) {
    const chunk = Buffer.alloc(Math.min(ENTRIES_A_CHUNK, count - at) * template.length);
    for (let entry = 0; entry * template.length < chunk.length; entry += 1) {
      const header = chunk.subarray(entry * template.length, (entry + 1) * template.length);
      template.copy(header);
      number(header, first + at + entry, restOfSum);
    }
    yield chunk;
  }
}

/** Writes the entry's number in hex, and the checksum of the header with it. */
function number(header: Buffer, value: number, restOfSum: number): void {
  header.write(value.toString(16).padStart(DIGITS, '0'), PREFIX.length, 'latin1');
  let sum = restOfSum;
  for (let at = 0; at < DIGITS; at += 1) sum += header[PREFIX.length + at] ?? 0;
  header.write(sum.toString(8).padStart(6, '0'), 148, 'latin1');
}
