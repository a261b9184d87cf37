import assert from 'node:assert/strict';
import { digestOfEntry, entryNameOf, plainEntryName } from '../../src/model/archive-layout.js';
import { parseDigest } from '../../src/model/digest.js';
import { formatPlatformFull, normalizePlatform, parsePlatform } from '../../src/model/platform.js';
import { parseReference } from '../../src/model/reference.js';
import { readTable } from '../fixtures/tables.js';
import { mutationsOf, resultOf, type FuzzTarget } from './target.js';

const REFERENCE_WORDS =
  'docker.io index.docker.io library/ localhost :5000 : @ / . - _ __ [::1] latest sha256: A xn--'.split(' ');
const PLATFORM_WORDS =
  'linux windows darwin macos arm arm64 amd64 386 x86_64 armhf v5 v7 v8 / ( ) + % %2F 10.0 unknown'.split(' ');
const DIGEST_WORDS = 'sha256: sha384: sha512: md5: : / ../ ./ blobs/ blobs/sha256/ A'.split(' ');

/** Docker's short form of these means something else: a repository of another host, or an image id. */
const AMBIGUOUS = /^(?:localhost\/|[^/]*\.[^/]*\/|library\/[0-9a-f]{64}$)/;

const references: FuzzTarget = {
  name: 'references',
  make: mutationsOf(
    readTable('reference').map(({ input }) => input),
    REFERENCE_WORDS,
  ),
  async check(bytes) {
    const result = await resultOf(() => parseReference(bytes.toString('utf8')));
    if ('code' in result) return assert.equal(result.code, 'ERR_REFERENCE_INVALID');
    const { value } = result;
    const isAmbiguous = value.domain === 'docker.io' && AMBIGUOUS.test(value.path);
    for (const text of isAmbiguous ? [value.toString()] : [value.toString(), value.familiar()]) {
      assert.match(text, /^[\w.:/@[\]-]+$/);
      assert.deepEqual({ ...parseReference(text) }, { ...value }, text);
    }
    const tagged = value.withDefaultTag();
    assert.ok(tagged.tag !== undefined || tagged.digest !== undefined);
    assert.deepEqual({ ...parseReference(tagged.toString()) }, { ...tagged });
  },
};

const platforms: FuzzTarget = {
  name: 'platforms',
  make: mutationsOf(
    readTable('parse').map(({ specifier }) => specifier),
    PLATFORM_WORDS,
  ),
  async check(bytes) {
    const result = await resultOf(() => parsePlatform(bytes.toString('utf8')));
    if ('code' in result) return assert.equal(result.code, 'ERR_PLATFORM_INVALID');
    const text = formatPlatformFull(result.value);
    const again = parsePlatform(text);
    assert.deepEqual(normalizePlatform(again), normalizePlatform(result.value), text);
    assert.equal(formatPlatformFull(again), text);
    const normal = normalizePlatform(result.value);
    assert.deepEqual(normalizePlatform(normal), normal);
  },
};

const digests: FuzzTarget = {
  name: 'digests',
  make: mutationsOf(
    readTable('digest').flatMap(({ input }) => [input, `blobs/${input.replace(':', '/')}`]),
    DIGEST_WORDS,
  ),
  async check(bytes) {
    const text = bytes.toString('utf8');
    const result = await resultOf(() => parseDigest(text));
    if ('code' in result) assert.equal(result.code, 'ERR_DIGEST_INVALID');
    else {
      assert.match(result.value, /^sha(?:256:[0-9a-f]{64}|384:[0-9a-f]{96}|512:[0-9a-f]{128})(?!\n)$/);
      assert.equal(digestOfEntry(entryNameOf(result.value)), text);
    }
    const promised = digestOfEntry(text);
    if (promised !== undefined) assert.equal(entryNameOf(promised), text);
    assert.equal(plainEntryName(plainEntryName(text)), plainEntryName(text));
  },
};

/** Names, platforms and digests as users and archives write them. */
export const textTargets: readonly FuzzTarget[] = [references, platforms, digests];
