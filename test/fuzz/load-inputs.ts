import { digestOf } from '../../src/model/digest.js';
import { layoutEntries } from '../fixtures/archive-builder.js';
import { blobPath, type ArchiveOrder } from '../fixtures/archive-entries.js';
import { BlobSet } from '../fixtures/blob-set.js';
import { dockerArchiveEntries, dockerImageOf } from '../fixtures/docker-archive-builder.js';
import { NAME } from '../fixtures/example.js';
import { buildMultiPlatform } from '../fixtures/image-builder.js';
import { buildIndex } from '../fixtures/manifest-builder.js';
import type { SeededRandom } from '../fixtures/seeded.js';
import { endBlocks, rawEntry, type TarEntry } from '../fixtures/tar-builder.js';
import { JSON_WORDS } from './json-target.js';
import { Mutator } from './mutator.js';
import { withRightChecksums } from './tar-checksums.js';

const ORDERS: readonly ArchiveOrder[] = ['metadata-first', 'blobs-first', 3, 8];
const NAMES = [
  'oci-layout',
  'index.json',
  'manifest.json',
  './index.json',
  'blobs/sha256/x',
  '../x',
  'a/layer.tar',
  'c.json',
];

function image() {
  const blobs = new BlobSet();
  const options = { layers: 1, layerBytes: 40, attestations: true, compression: 'none' } as const;
  const built = buildMultiPlatform(blobs, ['linux/amd64', 'linux/arm64'], options);
  return { blobs, ...built, root: buildIndex(blobs, [built.root]) };
}

const IMAGE = image();

/** A layout archive, changed in its bytes, its entries, or its documents (then with matching digests). */
export function layoutInput(random: SeededRandom): Buffer {
  const { blobs, root } = IMAGE;
  const images = [{ root, name: NAME, refName: '1' }];
  const entries = layoutEntries(images, blobs, { order: random.pick(ORDERS) });
  const wanted = random.int(3) === 0 ? entries : changedDocument(random, entries);
  return packed(random, random.int(2) === 0 ? wanted : changedEntries(random, wanted));
}

/** A docker-archive, changed in its bytes or its entries. */
export function dockerInput(random: SeededRandom): Buffer {
  const { blobs, manifests } = IMAGE;
  const [manifest] = [...manifests.values()];
  if (manifest === undefined) throw new Error('the image has no manifest');
  const docker = dockerImageOf(blobs, manifest, ['example/app:1']);
  const options = { layout: random.pick(['1.1', '1.2'] as const), order: random.pick(ORDERS) };
  const entries = dockerArchiveEntries([docker], { ...options, compressedLayers: random.int(2) === 0 });
  return packed(random, changedEntries(random, entries));
}

/** Changes one document, and all documents that refer to it, so that digests and sizes are right again. */
function changedDocument(random: SeededRandom, entries: readonly TarEntry[]): TarEntry[] {
  const bodies = new Map(entries.map(({ name, body }) => [name, Buffer.from(body ?? [])]));
  const documents = [...bodies].filter(([name, body]) => name.startsWith('blobs/') && body[0] === 0x7b);
  const [name, bytes] = random.pick(documents);
  const renamed = new Map([[name, new Mutator(random, JSON_WORDS).mutate(bytes)]]);
  for (const [old, body] of renamed) {
    if (!old.startsWith('blobs/')) continue;
    const digest = digestOf(body);
    for (const [above, content] of bodies) {
      const text = (renamed.get(above) ?? content).toString('latin1');
      const now = relinked(text, `sha256:${old.slice('blobs/sha256/'.length)}`, digest, body.length);
      // A document with a new digest is visited again, since its digest may change once more.
      if (now === text || above === old) continue;
      renamed.delete(above);
      renamed.set(above, Buffer.from(now, 'latin1'));
    }
  }
  return entries.map((entry) => {
    const body = renamed.get(entry.name);
    if (body === undefined) return entry;
    return { name: entry.name.startsWith('blobs/') ? blobPath(digestOf(body)) : entry.name, body };
  });
}

/** The text with the new digest and size of each changed document below it. */
function relinked(text: string, old: string, digest: string, size: number): string {
  return text
    .replaceAll(new RegExp(`"digest":"${old}","size":\\d+`, 'g'), `"digest":"${digest}","size":${size}`)
    .replaceAll(old, digest);
}

/** One to three entries are removed, repeated, renamed, turned into links or changed in their bodies. */
function changedEntries(random: SeededRandom, entries: readonly TarEntry[]): TarEntry[] {
  const changed = [...entries];
  for (let left = 1 + random.int(3); left > 0 && changed.length > 0; left -= 1) {
    const at = random.int(changed.length);
    const entry = random.pick(changed);
    const old = changed[at] ?? entry;
    const mutator = new Mutator(random, JSON_WORDS);
    const replacements: readonly (() => readonly TarEntry[])[] = [
      () => [],
      () => [old, old],
      () => [old, { ...entry, name: random.pick(NAMES) }],
      () => [{ ...old, name: random.pick(entries).name }],
      () => [
        {
          name: old.name,
          type: random.pick(['symlink', 'link'] as const),
          linkname: random.pick([...NAMES, entry.name]),
        },
      ],
      () => [{ ...old, body: mutator.mutate(Buffer.from(old.body ?? []), Buffer.from(entry.body ?? [])) }],
      () => [{ ...old, body: mutator.mutate(Buffer.from(old.body ?? []), Buffer.from(entry.body ?? [])) }],
    ];
    changed.splice(at, 1, ...random.pick(replacements)());
  }
  return changed;
}

/** The entries as a tar; one in four is changed in its bytes after that. */
function packed(random: SeededRandom, entries: readonly TarEntry[]): Buffer {
  const tar = Buffer.concat([...entries.map(tarEntry), endBlocks()]);
  if (random.int(4) !== 0) return tar;
  const changed = new Mutator(random, ['\0', '../', 'index.json', '0000000']).mutate(tar);
  return random.int(4) === 0 ? changed : withRightChecksums(changed);
}

const FLAGS = { file: '0', directory: '5', symlink: '2', link: '1' } as const;

function tarEntry({ name, body = Buffer.alloc(0), type = 'file', linkname = '' }: TarEntry): Buffer {
  return rawEntry({ name, typeflag: FLAGS[type], linkname }, type === 'file' ? body : '');
}
