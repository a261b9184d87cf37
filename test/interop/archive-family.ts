import { gzipSync } from 'node:zlib';
import type { Descriptor } from '../../src/model/descriptor.js';
import { layoutArchive, type LayoutImage } from '../fixtures/archive-builder.js';
import type { ArchiveOrder } from '../fixtures/archive-entries.js';
import { BlobSet } from '../fixtures/blob-set.js';
import { dockerArchive, dockerImageOf } from '../fixtures/docker-archive-builder.js';
import { buildMultiPlatform } from '../fixtures/image-builder.js';
import { buildIndex, buildManifest } from '../fixtures/manifest-builder.js';
import { seededBytes, seededRandom, type SeededRandom } from '../fixtures/seeded.js';

/** An archive of the family, and how to ask skopeo for each of its images. */
export interface FamilyArchive {
  readonly what: string;
  readonly bytes: Buffer;
  /** Whether its bytes are in gzip, which `ctr` does not unpack (docs/differences.md). */
  readonly isPacked: boolean;
  readonly blobs: BlobSet;
  /** Behind `oci-archive:FILE:` or `docker-archive:FILE:`, by the image's full name. */
  readonly references: ReadonlyMap<string, string>;
  readonly transport: 'oci-archive' | 'docker-archive';
}

const PLATFORMS = [
  'linux/amd64',
  'linux/arm64',
  'linux/arm/v7',
  'linux/arm/v6',
  'linux/386',
  'windows(10.0.17763.1)/amd64',
];
/** containerd does not read the variant of a root that is a manifest (docs/differences.md). */
const SINGLE_PLATFORMS = PLATFORMS.filter((platform) => platform !== 'linux/arm/v6');
const REPOSITORIES = ['docker.io/library/alpine', 'docker.io/example/app', 'quay.io/a/b/c', 'localhost:5000/x'];
const ORDERS: readonly ArchiveOrder[] = ['metadata-first', 'blobs-first', 5, 11];

/** An archive whose every choice depends on the seed: layouts and docker-archives in turn. */
export async function familyArchive(seed: number): Promise<FamilyArchive> {
  const random = seededRandom(`family ${seed}`);
  return seed % 3 === 2 ? await dockerMember(random, seed) : await layoutMember(random, seed);
}

async function layoutMember(random: SeededRandom, seed: number): Promise<FamilyArchive> {
  const blobs = new BlobSet();
  const names = random.shuffle(REPOSITORIES).slice(0, 1 + random.int(2));
  const images = names.map((name, at): LayoutImage => {
    const tag = `${at}.${seed}`;
    // skopeo finds an image by this annotation: the tag alone, or the whole name.
    const refName = random.int(2) === 0 ? tag : `${name}:${tag}`;
    return { root: imageOf(random, blobs, `${seed}-${at}`), name: `${name}:${tag}`, refName };
  });
  if (random.int(3) === 0) blobs.add(seededBytes(`nobody's ${seed}`, 50));
  const options = {
    order: random.pick(ORDERS),
    prefix: random.pick(['', './'] as const),
    directories: random.int(2) === 0,
  };
  const tar = await layoutArchive(images, blobs, options);
  const isPacked = random.int(4) === 0;
  return {
    what: `layout ${JSON.stringify(options)}${isPacked ? ' in gzip' : ''}, ${names.length} images`,
    bytes: isPacked ? gzipSync(tar) : tar,
    isPacked,
    blobs,
    references: new Map(images.map(({ name = '', refName = '' }) => [name, refName])),
    transport: 'oci-archive',
  };
}

/** An index of some platforms, an index in an index, or a manifest alone. */
function imageOf(random: SeededRandom, blobs: BlobSet, seed: string): Descriptor {
  const platforms = random.shuffle(PLATFORMS).slice(0, 1 + random.int(4));
  const options = {
    seed,
    layers: 1 + random.int(2),
    layerBytes: 50,
    mediaTypes: random.pick(['oci', 'docker'] as const),
    compression: random.pick(['gzip', 'none'] as const),
  };
  const kind = random.int(4);
  if (kind === 0) return buildManifest(blobs, { ...options, platform: random.pick(SINGLE_PLATFORMS) });
  const isOci = options.mediaTypes === 'oci';
  const { root } = buildMultiPlatform(blobs, platforms, {
    ...options,
    sharedLayer: true,
    attestations: isOci && kind === 1,
  });
  return kind === 2 && isOci ? buildIndex(blobs, [root]) : root;
}

async function dockerMember(random: SeededRandom, seed: number): Promise<FamilyArchive> {
  const blobs = new BlobSet();
  const count = 1 + random.int(2);
  const images = Array.from({ length: count }, (_, at) => {
    const platform = random.pick(SINGLE_PLATFORMS);
    const layers = ['shared', `own-${seed}-${at}`];
    const manifest = buildManifest(blobs, { platform, seed: `${seed}-${at}`, layers, layerBytes: 50 });
    return dockerImageOf(blobs, manifest, [`example/app${at}:${seed}`, `quay.io/copy/app${at}:${seed}`]);
  });
  const options = {
    layout: random.pick(['1.1', '1.2'] as const),
    symlinkedLayers: random.int(2) === 0,
    compressedLayers: random.int(3) === 0,
    order: random.pick(ORDERS),
  };
  const names = images.flatMap(({ tags }) => tags);
  return {
    what: `docker-archive ${JSON.stringify(options)}, ${count} images`,
    bytes: await dockerArchive(images, options),
    isPacked: false,
    blobs,
    references: new Map(names.map((name) => [name.startsWith('quay.io') ? name : `docker.io/${name}`, name])),
    transport: 'docker-archive',
  };
}
