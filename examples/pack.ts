import { Readable, type Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { TarPack } from '../src/stages/index.js';

/** Packs texts as the files of a tar, one after another. */
export async function packTexts(texts: Readonly<Record<string, string>>, to: Writable): Promise<void> {
  const entries = Object.entries(texts).map(([name, text]) => {
    const body = Buffer.from(text);
    return { name, type: 'file', size: body.length, body: Readable.from([body]) };
  });
  await pipeline(Readable.from(entries), new TarPack(), to);
}
