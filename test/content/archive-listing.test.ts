import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ArchiveListing } from '../../src/content/archive-listing.js';
import { limitsOf } from '../../src/model/limits.js';
import { PlatformSet } from '../../src/model/platform-set.js';
import { parsePlatform } from '../../src/model/platform.js';
import { indexJson } from '../fixtures/archive-builder.js';
import { BlobSet } from '../fixtures/blob-set.js';
import { example } from '../fixtures/example.js';
import { SetProvider } from '../stages/set-provider.js';

const GIB = 1024 ** 3;

async function listingOf(images: Parameters<typeof indexJson>[0], platforms: readonly string[] = []) {
  const listing = new ArchiveListing(
    {
      present: new SetProvider(new BlobSet()),
      platforms: new PlatformSet(platforms.map((text) => parsePlatform(text))),
      referrers: 'follow',
      limits: limitsOf(),
      untilStored: async () => {},
    },
    { isPassed: () => false, isPresent: () => false },
  );
  await listing.learn('index.json', Buffer.from(JSON.stringify(indexJson(images))));
  return listing;
}

describe('ArchiveListing', () => {
  const { images } = example();

  it('waits for a manifest.json with up to 1 GiB that no image of the index needs', async () => {
    const listing = await listingOf(images);
    assert.ok(listing.waitsWith(GIB));
    assert.ok(!listing.waitsWith(1));
  });

  it('waits with any number of bytes if the index lists nothing', async () => {
    const listing = await listingOf([]);
    for (let at = 0; at < 2000; at += 1) assert.ok(listing.waitsWith(GIB));
  });

  it('does not wait with a filter, or once manifest.json has come', async () => {
    assert.ok(!(await listingOf(images, ['linux/amd64'])).waitsWith(1));
    const listing = await listingOf(images);
    await listing.learn('manifest.json', Buffer.from('[]'));
    assert.ok(!listing.waitsWith(1));
  });
});
