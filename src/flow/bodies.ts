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
