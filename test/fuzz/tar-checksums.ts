/** The archive with correct checksums in all blocks that look like headers, so that a changed header is still read. */
export function withRightChecksums(bytes: Buffer): Buffer {
  const fixed = Buffer.from(bytes);
  for (let at = 0; at + 512 <= fixed.length; at += 512) {
    const block = fixed.subarray(at, at + 512);
    if (block.toString('latin1', 257, 262) === 'ustar') writeChecksum(block);
  }
  return fixed;
}

/** Gives a header block its right checksum. */
export function writeChecksum(block: Buffer): void {
  block.fill(0x20, 148, 156);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
}
