import { algorithmOf, Digester, type Digest } from '../model/digest.js';
import { badEntry } from '../model/entry-name.js';

/** Reads an entry that stands in the archive before. Throws ERR_TAR_ENTRY if its bytes do not have this digest. */
export async function refuseOtherBytes(name: string, body: AsyncIterable<Uint8Array>, digest: Digest): Promise<void> {
  const digester = new Digester(algorithmOf(digest));
  for await (const chunk of body) digester.update(chunk);
  if (digester.digest() !== digest) throw badEntry(name, 'occurs twice, with other bytes');
}
