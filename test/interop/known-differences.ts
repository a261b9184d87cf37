import { gzipSync } from 'node:zlib';
import { NAME } from '../fixtures/example.js';
import { endBlocks } from '../fixtures/tar-builder.js';
import { oddEntries, SmallStock } from './differing-archives.js';

/** An archive that readers read differently, and the result of each reader, as `docs/differences.md` lists it. */
export interface KnownDifference {
  readonly archive: string;
  readonly make: (stock: SmallStock) => Promise<Buffer>;
  readonly lading: string;
  readonly containerd: string;
  readonly skopeo: 'takes' | 'refuses';
  /** Where skopeo looks. Default `oci-archive:FILE:1`. */
  readonly source?: (file: string) => string;
  readonly why: string;
}

const BOTH = '(linux/amd64 linux/arm64)';
const APP = `docker.io/example/app:1 ${BOTH}`;
const DOCKER_APP = 'docker.io/example/app:1 (linux/amd64)';
const DOCKER_UNNAMED = 'unnamed (linux/amd64)';

const inDocker = (file: string): string => `docker-archive:${file}`;
const unnamed = (file: string): string => `oci-archive:${file}`;

/** Archives that Lading accepts. */
export const ACCEPTED_DIFFERENTLY: readonly KnownDifference[] = [
  {
    archive: 'an image with a bare tag and no full name',
    make: async (stock) => await stock.layout({ refName: '1' }),
    lading: `unnamed ${BOTH}`,
    containerd: `import-DATE:1 ${BOTH}`,
    skopeo: 'takes',
    why: 'a tag does not say which repository it is a tag of; a made-up name would differ from day to day',
  },
  {
    archive: 'an image without any name',
    make: async (stock) => await stock.layout({}),
    lading: `unnamed ${BOTH}`,
    containerd: 'no image',
    skopeo: 'takes',
    source: unnamed,
    why: 'the image is kept, and its digest identifies it',
  },
  {
    archive: 'an image named `<none>:<none>`',
    make: async (stock) => await stock.layout({ name: '<none>:<none>' }),
    lading: `unnamed ${BOTH}`,
    containerd: `<none>:<none> ${BOTH}`,
    skopeo: 'takes',
    source: unnamed,
    why: 'docker writes this for "no name"; it is not a valid name',
  },
  {
    archive: 'a full name without a tag',
    make: async (stock) => await stock.layout({ name: 'docker.io/example/app' }),
    lading: `docker.io/example/app:latest ${BOTH}`,
    containerd: `docker.io/example/app ${BOTH}`,
    skopeo: 'takes',
    source: unnamed,
    why: 'names are stored in full, as the docker command asks for them',
  },
  {
    archive: 'a familiar name',
    make: async (stock) => await stock.layout({ name: 'app:1' }),
    lading: `docker.io/library/app:1 ${BOTH}`,
    containerd: `app:1 ${BOTH}`,
    skopeo: 'takes',
    source: unnamed,
    why: 'the same',
  },
  {
    archive: 'an index with one manifest that is not in the archive',
    make: async (stock) => await stock.withoutManifest(),
    lading: 'docker.io/example/app:1 (linux/amd64)',
    containerd: 'refuses',
    skopeo: 'takes',
    why: 'an archive of some platforms keeps the index; a warning names the missing ones',
  },
  {
    archive: 'a platform object without fields',
    make: async (stock) => await stock.unnamedPlatform(),
    lading: 'docker.io/example/app:1 (linux/amd64)',
    containerd: 'docker.io/example/app:1 ()',
    skopeo: 'takes',
    why: 'the image config has what the descriptor lacks',
  },
  {
    archive: 'a manifest of linux/arm/v6 as the root',
    make: async (stock) => await stock.singleVariant(),
    lading: 'docker.io/example/app:1 (linux/arm/v6)',
    containerd: 'docker.io/example/app:1 (linux/arm/v7)',
    skopeo: 'takes',
    why: 'the image config names the variant; containerd 1.6 does not read it there',
  },
  {
    archive: 'a layout whose root has a media type of Docker',
    make: async (stock) => await stock.dockerTypes(),
    lading: APP,
    containerd: APP,
    skopeo: 'refuses',
    why: 'images that were pulled from Docker Hub have such roots; skopeo looks for OCI types by their tag',
  },
  {
    archive: 'a layout in gzip',
    make: async (stock) => gzipSync(await stock.layout()),
    lading: APP,
    containerd: 'refuses',
    skopeo: 'takes',
    why: 'docker load takes gzip too',
  },
  {
    archive: 'a layout with a `manifest.json` that names another image',
    make: async (stock) => await stock.disagreeing(),
    lading: APP,
    containerd: APP,
    skopeo: 'takes',
    source: (file) => `docker-archive:${file}:example/other:2`,
    why: 'Lading follows `index.json`, with a warning; skopeo reads the file of its transport',
  },
  {
    archive: 'a docker-archive with upper case in a repository',
    make: async (stock) => await stock.docker(['example/APP:1']),
    lading: DOCKER_UNNAMED,
    containerd: 'refuses',
    skopeo: 'takes',
    source: inDocker,
    why: 'it is not a valid name; the image is kept without it, with a warning',
  },
];

/** Archives that Lading refuses and another reader accepts. */
export const REFUSED_BY_LADING: readonly KnownDifference[] = [
  {
    archive: 'cut on a block boundary, without its end blocks',
    make: async (stock) => (await stock.layout()).subarray(0, -endBlocks().length),
    lading: 'ERR_ARCHIVE_TRUNCATED',
    containerd: APP,
    skopeo: 'takes',
    why: 'a cut archive must not load as a smaller one',
  },
  {
    archive: 'with data after its end',
    make: async (stock) => Buffer.concat([await stock.layout(), Buffer.from('something')]),
    lading: 'ERR_ARCHIVE_FORMAT',
    containerd: APP,
    skopeo: 'takes',
    why: 'readers that go on after the end would see other entries',
  },
  {
    archive: 'with a layer that does not match its digest',
    make: async (stock) => await stock.flippedLayer(),
    lading: 'ERR_DIGEST_MISMATCH',
    containerd: APP,
    skopeo: 'takes',
    why: 'Lading verifies every byte before it publishes a name; skopeo verifies when it copies',
  },
  {
    archive: 'with a wrong size in the descriptor of its root',
    make: async (stock) =>
      await stock.layoutBut('index.json', (body) => String(body).replace(/"size":\d+/, '"size":7')),
    lading: 'ERR_SIZE_MISMATCH',
    containerd: APP,
    skopeo: 'takes',
    why: 'a descriptor promises digest and size',
  },
  {
    archive: 'with a key twice in `index.json`',
    make: async (stock) => await stock.layoutBut('index.json', (body) => String(body).replace('{', '{"manifests":[],')),
    lading: 'ERR_DOCUMENT_INVALID',
    containerd: APP,
    skopeo: 'takes',
    why: 'readers disagree on which of the two counts',
  },
  {
    archive: 'with an `index.json` that also has layers',
    make: async (stock) => await stock.layoutBut('index.json', (body) => String(body).replace(/\}$/, ',"layers":[]}')),
    lading: 'ERR_DOCUMENT_INVALID',
    containerd: APP,
    skopeo: 'takes',
    why: 'a document that is index and manifest at once means two images (CVE-2021-41190)',
  },
  {
    archive: 'with an unknown layout version',
    make: async (stock) => await stock.layoutBut('oci-layout', () => '{"imageLayoutVersion":"9.0.0"}'),
    lading: 'ERR_FORMAT_UNSUPPORTED',
    containerd: 'refuses',
    skopeo: 'takes',
    why: 'the meaning of a later version is unknown',
  },
  {
    archive: 'with one name for two images',
    make: async (stock) => await stock.sameName(),
    lading: 'ERR_NAME_DUPLICATE',
    containerd: DOCKER_APP,
    skopeo: 'takes',
    why: 'containerd takes the last of them, skopeo the first',
  },
  {
    archive: 'with a device',
    make: async (stock) => await stock.layoutWith(oddEntries.device),
    lading: 'ERR_TAR_ENTRY',
    containerd: APP,
    skopeo: 'takes',
    why: 'images need devices only inside layers',
  },
  {
    archive: 'with an absolute entry name',
    make: async (stock) => await stock.layoutWith(oddEntries.absolute),
    lading: 'ERR_TAR_ENTRY',
    containerd: APP,
    skopeo: 'takes',
    why: 'the same',
  },
  {
    archive: 'a docker-archive with a layer that has another diff id',
    make: async (stock) => await stock.docker(['example/app:1'], (layer) => Buffer.concat([layer, Buffer.alloc(512)])),
    lading: 'ERR_DIFF_ID_MISMATCH',
    containerd: DOCKER_APP,
    skopeo: 'takes',
    source: inDocker,
    why: 'the config names the diff ids; other readers compare them when they unpack',
  },
  {
    archive: 'a docker-archive with a config that does not match its name',
    make: async (stock) => await stock.changedConfig(),
    lading: 'ERR_DIGEST_MISMATCH',
    containerd: DOCKER_APP,
    skopeo: 'takes',
    source: inDocker,
    why: 'nothing else in such an archive proves the config',
  },
];

/** Where skopeo looks for the image of a case. */
export function sourceOf({ source }: KnownDifference, file: string): string {
  return source?.(file) ?? `oci-archive:${file}:${NAME.slice(NAME.lastIndexOf(':') + 1)}`;
}

/** The row of a difference in the docs. */
export function rowOf({ archive, lading, containerd, skopeo, why }: KnownDifference): readonly string[] {
  return [archive, code(lading), code(containerd), skopeo, why];
}

/** Formats names and codes as code, and leaves words as they are. */
function code(text: string): string {
  return /^(?:refuses|no image)$/.test(text) ? text : `\`${text}\``;
}
