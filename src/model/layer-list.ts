import type { Content } from './content.js';
import { isDigest, type Digest } from './digest.js';
import { LadingError, quote } from './errors.js';
import { check, fields, listOf, TEXT, wholeNumber } from './rules.js';
import { byDigest } from './thin-list.js';

/** The first line of a list of layers. */
export const LAYER_LIST_HEAD = '# lading have 1';

const LAYERS = listOf(fields({ digest: TEXT, size: wholeNumber(Number.MAX_SAFE_INTEGER) }), 'a list of layers');

/** A list of layers as text: the head, then a line `DIGEST SIZE` for each, in the order of the digests. */
export function formatLayerList(layers: readonly Content[]): string {
  check({ layers: LAYERS }, { layers });
  const lines = layers.toSorted(byDigest).map(({ digest, size }) => `${digest} ${size}`);
  return `${[LAYER_LIST_HEAD, ...lines].join('\n')}\n`;
}

/**
 * The digests of a list of layers, each once. Sizes, blank lines and lines that start with `#` are ignored. Throws
 * ERR_OPTION_INVALID with the number of any other line; `where` names the list in the message.
 */
export function parseLayerList(text: string, where = 'the list'): readonly Digest[] {
  check({ text: TEXT, where: TEXT }, { text, where });
  const digests = new Set<Digest>();
  for (const [at, line] of text.split('\n').entries()) {
    const shown = line.trim();
    if (shown === '' || shown.startsWith('#')) continue;
    const [, digest = ''] = /^(\S+)(?:\s+\d+)?$/.exec(shown) ?? [];
    if (!isDigest(digest)) throw notALine(shown, where, at + 1);
    digests.add(digest);
  }
  return [...digests];
}

function notALine(line: string, where: string, number: number): LadingError {
  const message = `${where}:${number}: a line is a digest and a size, not ${quote(line)}`;
  return new LadingError('ERR_OPTION_INVALID', message, { details: { line: number } });
}
