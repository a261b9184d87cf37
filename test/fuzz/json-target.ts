import assert from 'node:assert/strict';
import { isDeepStrictEqual } from 'node:util';
import { parseConfigBytes, parseIndexBytes, parseManifestBytes } from '../../src/content/parse-document.js';
import { parseStrictJson } from '../../src/content/strict-json.js';
import { LadingError } from '../../src/model/errors.js';
import { DEFAULT_LIMITS } from '../../src/model/limits.js';
import { BlobSet } from '../fixtures/blob-set.js';
import { buildMultiPlatform } from '../fixtures/image-builder.js';
import { codeOf, mutationsOf, resultOf, type FuzzTarget } from './target.js';

/** Words of JSON and of the documents, also some that readers read differently. */
export const JSON_WORDS = [
  ...'{ } [ ] : , " \\ null true false NaN -0 1e999 0.1 {} [] "" \\u0000 \\ud800 \\u00e9 é \u2028 /**/'.split(' '),
  ...'"__proto__" "constructor" "schemaVersion" "SchemaVersion" "mediaType" "digest" "size" "manifests"'.split(' '),
  ...'"Manifests" "layers" "config" "platform" "os" "architecture" "annotations" "subject" "data" "urls"'.split(' '),
  '[[[[[[[[[[[[[[[[',
  '{"a":{"a":{"a":',
  '\ufeff',
  '"schemaVersion":2,',
  '"platform":{},',
  ',"layers":[]',
].map((text) => Buffer.from(text, 'utf8').toString('latin1'));

function documents(): readonly Buffer[] {
  const blobs = new BlobSet();
  buildMultiPlatform(blobs, ['linux/amd64', 'windows(10.0)/arm/v7'], { attestations: true, annotations: { a: 'ä' } });
  return [...blobs.values()].filter((bytes) => bytes[0] === 0x7b);
}

/** JSON documents of an archive. */
export const jsonTarget: FuzzTarget = {
  name: 'json',
  make: mutationsOf([...documents(), '{"__proto__":{"a":1},"b":[1,-0,1.5e3,"\\u00e9\\n"]}', '[[[[]]]]'], JSON_WORDS),
  async check(bytes) {
    const text = bytes.toString('utf8');
    const expected = parseLoosely(text);
    try {
      const value = await parseStrictJson(bytes, 'document', DEFAULT_LIMITS.maxJsonDepth);
      assert.ok(expected !== undefined, 'accepted what JSON.parse refuses');
      assert.ok(isDeepStrictEqual(value, expected.value), 'read another value than JSON.parse');
      const again = JSON.stringify(value);
      assert.equal(JSON.stringify(await parseStrictJson(Buffer.from(again), 'again', 64)), again);
    } catch (error) {
      const code = codeOf(error);
      if (expected !== undefined && !isStricter(error as LadingError, bytes)) throw error;
      assert.ok(['ERR_DOCUMENT_INVALID', 'ERR_LIMIT_DEPTH'].includes(code), code);
    }
    for (const parse of [parseIndexBytes, parseManifestBytes, parseConfigBytes]) {
      await resultOf<unknown>(async () => await parse(bytes, 'document', DEFAULT_LIMITS));
    }
  },
};

function parseLoosely(text: string): { readonly value: unknown } | undefined {
  try {
    return { value: JSON.parse(text) };
  } catch {
    return undefined;
  }
}

/** JSON that must be refused: a repeated key, too many levels, bytes that are not UTF-8. */
function isStricter({ code, message }: LadingError, bytes: Buffer): boolean {
  const isUtf8 = Buffer.from(bytes.toString('utf8')).equals(bytes);
  return code === 'ERR_LIMIT_DEPTH' || message.endsWith('stands twice') || !isUtf8;
}
