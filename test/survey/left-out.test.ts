import assert from 'node:assert/strict';
import { planExport } from '../../src/export/plan-export.js';
import { LadingError } from '../../src/model/errors.js';
import type { ImageReport, Warning } from '../../src/survey/reports.js';
import type { LayoutImage } from '../fixtures/archive-builder.js';
import { buildArtifact, buildAttestation } from '../fixtures/artifact-builder.js';
import { BlobSet, removeBlob, removeLayers } from '../fixtures/blob-set.js';
import { loadLayout } from '../fixtures/loading.js';
import { buildIndex, buildManifest } from '../fixtures/manifest-builder.js';
import { HOST } from '../fixtures/saved-archive.js';
import { fill, onEachStore, type OpenStore } from '../fixtures/stores.js';

/*
 * Whatever is left out is told: an image of which nothing is taken as much as one platform of an image. Every row holds
 * for a save and for a load.
 */

/** The images of the tests, by the name that a person sees. Nothing of `cut` and `lost` is whole. */
function build(): { readonly images: readonly LayoutImage[]; readonly blobs: BlobSet } {
  const blobs = new BlobSet();
  const of = (platform: string, seed: string) => buildManifest(blobs, { platform, seed });
  const both = buildIndex(blobs, [of('linux/amd64', 'a'), of('linux/arm64', 'b')]);
  const cut = of('linux/arm64', 'cut');
  const attested = buildIndex(blobs, [cut, buildAttestation(blobs, cut, { seed: 's' })]);
  removeLayers(blobs, cut);
  const lost = buildIndex(blobs, [of('linux/arm64', 'c')]);
  const nested = buildIndex(blobs, [of('linux/arm64', 'd'), lost]);
  removeBlob(blobs, lost);
  const roots = {
    both,
    one: of('linux/amd64', 'e'),
    attested,
    lost,
    nested,
    artifact: buildArtifact(blobs, { seed: 'f' }),
  };
  const images = Object.entries(roots).map(([name, root]) => ({ root, name: `docker.io/library/${name}:1` }));
  return { images: [...images, { root: of('linux/386', 'g') }], blobs };
}

const UNNAMED = build().images.at(-1)?.root.digest ?? '';
const LOST = build().images.find(({ name }) => name?.endsWith('/lost:1'))?.root.digest ?? '';
const CUT = /^sha256:/;

interface Row {
  readonly what: string;
  readonly names: readonly string[];
  readonly platforms: readonly string[];
  /** `image platform` of each warning. */
  readonly warned: readonly string[];
  /** The images of which nothing is taken. */
  readonly leftOut: readonly string[];
  readonly incomplete: boolean;
}

const ROWS: readonly Row[] = [
  {
    what: 'an image that has none of one platform',
    names: ['both', 'one'],
    platforms: ['linux/arm64'],
    warned: ['one:1 linux/arm64'],
    leftOut: ['one:1'],
    incomplete: true,
  },
  {
    what: 'an image that has none of several platforms, beside one that has some',
    names: ['both', 'artifact', UNNAMED],
    platforms: ['linux/arm64', 'linux/s390x'],
    warned: [
      'both:1 linux/s390x',
      'artifact:1 linux/arm64',
      'artifact:1 linux/s390x',
      `${UNNAMED} linux/arm64`,
      `${UNNAMED} linux/s390x`,
    ],
    leftOut: ['artifact:1', UNNAMED],
    incomplete: true,
  },
  {
    what: 'an image whose platform is listed and cut, with its attestation',
    names: ['both', 'attested'],
    platforms: ['linux/arm64'],
    warned: ['attested:1 linux/arm64'],
    leftOut: ['attested:1'],
    incomplete: true,
  },
  {
    what: 'images of which nothing is whole, without a list',
    names: ['both', 'attested', 'lost'],
    platforms: [],
    warned: ['attested:1 linux/arm64', 'lost:1 unknown'],
    leftOut: ['attested:1', 'lost:1'],
    incomplete: true,
  },
  {
    what: 'a nested index that is missing, without a list',
    names: ['nested', 'one', 'artifact'],
    platforms: [],
    warned: ['nested:1 unknown'],
    leftOut: [],
    incomplete: false,
  },
  {
    what: "the host's platform of each image",
    names: ['one', UNNAMED, 'nested'],
    platforms: ['local'],
    warned: ['nested:1 linux/amd64', 'nested:1 unknown'],
    leftOut: ['nested:1'],
    incomplete: true,
  },
  {
    what: 'nothing where everything is there',
    names: ['both', 'one'],
    platforms: ['linux/amd64'],
    warned: [],
    leftOut: [],
    incomplete: false,
  },
];

interface Told {
  readonly warnings: readonly Warning[];
  readonly leftOut: readonly ImageReport[];
  readonly images: readonly ImageReport[];
  readonly incomplete: boolean;
}

/** What a save and a load of some images report. */
async function reports(open: OpenStore, { names, platforms }: Row): Promise<readonly Told[]> {
  const { images, blobs } = build();
  const source = await open();
  await fill(
    source,
    images.map(({ name, root }) => ({ ...(name !== undefined && { name }), descriptor: root })),
    blobs,
  );
  const chosen = names.map((name) =>
    images.find((image) => image.root.digest === name || labelOf(image) === `${name}:1`),
  );
  const options = { platforms, missingPlatforms: 'skip', hostPlatform: HOST } as const;
  const plan = await planExport(
    source,
    names.map((name) => (name === UNNAMED ? name : `${name}:1`)),
    options,
  );
  const loaded = await loadLayout(await open(), chosen as readonly LayoutImage[], blobs, options);
  return [plan, loaded];
}

function labelOf({ name, root }: LayoutImage): string {
  return name?.replace('docker.io/library/', '') ?? root.digest;
}

function labels(reported: readonly ImageReport[]): readonly string[] {
  return reported.map(({ name, digest }) =>
    labelOf({ ...(name !== undefined && { name }), root: { digest } as LayoutImage['root'] }),
  );
}

for (const row of ROWS) {
  onEachStore(`a save and a load tell of ${row.what}`, async (open) => {
    for (const { warnings, leftOut, images, incomplete } of await reports(open, row)) {
      assert.deepEqual(
        warnings.map(({ code, image, platform }) => `${code} ${image} ${platform}`),
        row.warned.map((text) => `WARN_PLATFORM_MISSING ${text}`),
      );
      assert.deepEqual(labels(leftOut), row.leftOut);
      assert.deepEqual(
        labels(images),
        row.names.map((name) => (name === UNNAMED ? name : `${name}:1`)).filter((name) => !row.leftOut.includes(name)),
      );
      assert.equal(incomplete, row.incomplete);
      for (const { message, image } of warnings) assert.ok(image !== undefined && message.includes(image), message);
    }
  });
}

onEachStore('the report of an image that is left out has the state of each platform', async (open) => {
  const row = ROWS.find(({ what }) => what.startsWith('images of which nothing')) as Row;
  for (const { leftOut } of await reports(open, row)) {
    const [attested, lost] = leftOut.map(({ platforms }) => platforms);
    assert.deepEqual(
      attested?.map(({ platform, state }) => `${platform} ${state}`),
      ['linux/arm64 missing'],
    );
    assert.match(String(attested?.[0]?.missing), CUT);
    assert.deepEqual(lost, [{ platform: 'unknown', digest: LOST, state: 'missing', missing: LOST }]);
  }
});

onEachStore('a refused save and load name the index that is missing', async (open) => {
  const { images, blobs } = build();
  const store = await open();
  const lost = images.filter(({ root }) => root.digest === LOST);
  const descriptor = lost[0]?.root ?? assert.fail();
  await fill(store, [{ name: 'docker.io/library/lost:1', descriptor }], blobs);
  const refused = {
    code: 'ERR_PLATFORM_UNAVAILABLE',
    message: new RegExp(`lost:1 may have linux/arm64, but its index ${LOST} is missing`),
  };
  for (const missingPlatforms of ['fail', 'skip'] as const) {
    const options = { platforms: ['linux/arm64'], missingPlatforms };
    await assert.rejects(planExport(store, ['lost:1'], options), refused);
    await assert.rejects(loadLayout(await open(), lost, blobs, options), (error) => {
      assert.ok(error instanceof LadingError);
      assert.match(error.message, refused.message);
      return error.code === refused.code;
    });
  }
});
