/**
 * The same pieces; the next one is asked for before the last one is used, so that a thread can work on it meanwhile.
 * Holds one piece more.
 */
export async function* readAhead<Piece>(pieces: AsyncGenerator<Piece>): AsyncGenerator<Piece> {
  let next = asked(pieces);
  try {
    for (;;) {
      const { done, value } = await next;
      if (done === true) return;
      next = asked(pieces);
      yield value;
    }
  } finally {
    // An error of a piece that nobody waits for any more does not count.
    await next.catch(() => {});
    await pieces.return(undefined);
  }
}

function asked<Piece>(pieces: AsyncGenerator<Piece>): Promise<IteratorResult<Piece, unknown>> {
  const next = pieces.next();
  // It is thrown when the piece is waited for.
  next.catch(() => {});
  return next;
}
