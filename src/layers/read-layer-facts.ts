import type { ContentProvider } from '../content/content-provider.js';
import type { Digest } from '../model/digest.js';
import { LadingError } from '../model/errors.js';
import type { Limits } from '../model/limits.js';
import { LayerProbe, type LayerFacts } from './layer-probe.js';

/** What the bytes of a layer show. Reads a packed layer to its end, and only the first bytes of a plain one. */
export async function layerFactsOf(provider: ContentProvider, digest: Digest, limits: Limits): Promise<LayerFacts> {
  return await layerFactsIn(provider.open(digest, { kind: 'blob' }), limits);
}

/** The same of bytes from anywhere. */
export async function layerFactsIn(
  bytes: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  limits: Limits,
): Promise<LayerFacts> {
  const probe = new LayerProbe({ limits });
  try {
    for await (const chunk of bytes) {
      await probe.write(chunk);
      if (probe.isDone) break;
    }
    return await probe.end();
  } finally {
    probe.destroy();
  }
}

/** The error of a layer that cannot be unpacked, with its digest. */
export function unpackError(digest: Digest, { code, message }: LadingError): LadingError {
  return new LadingError(code, `layer ${digest} ${message}`, { details: { digest } });
}
