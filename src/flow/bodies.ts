type Body = AsyncIterable<Uint8Array>;

/** Passes over the body of an entry: by the source if it can, else by reading. */
export async function drain({ body, skip }: { readonly body: Body; readonly skip?: () => void }): Promise<void> {
  if (skip !== undefined) return skip();
  for await (const _ of body);
}

/** A body of these bytes. */
export function bodyOf(bytes: Uint8Array): Body {
  return {
    async *[Symbol.asyncIterator]() {
      yield bytes;
    },
  };
}

/** The bytes after the first ones, which are read too: whoever verifies the body must see them. */
export async function* withoutStart<Chunk extends Uint8Array>(
  body: AsyncIterable<Chunk>,
  bytes: number,
): AsyncGenerator<Chunk> {
  let left = bytes;
  for await (const chunk of body) {
    const skipped = Math.min(left, chunk.length);
    left -= skipped;
    // A part of a Buffer is a Buffer again.
    if (skipped < chunk.length) yield chunk.subarray(skipped) as Chunk;
  }
}
