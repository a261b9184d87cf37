interface Chunk<Self> {
  readonly length: number;
  subarray(start: number): Self;
}

/** The chunks without their first `bytes` bytes: what is left after a write that took only a part of them. */
export function withoutBytes<C extends Chunk<C>>(chunks: readonly C[], bytes: number): readonly C[] {
  let left = bytes;
  const rest = chunks.findIndex((chunk) => {
    left -= chunk.length;
    return left < 0;
  });
  const first = chunks[rest];
  return first === undefined ? [] : [first.subarray(first.length + left), ...chunks.slice(rest + 1)];
}
