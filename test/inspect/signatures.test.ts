import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inspectArchive } from '../../src/inspect/inspect-archive.js';
import { inspectImages } from '../../src/inspect/inspect-images.js';
import { MemoryStore } from '../../src/stores/memory/memory-store.js';
import { layoutArchive } from '../fixtures/archive-builder.js';
import { example, FAMILIAR, NAME } from '../fixtures/example.js';
import { chunksOf, load } from '../fixtures/loading.js';
import {
  asLayoutImage,
  bundleLayer,
  cosignLayer,
  dsseLayer,
  SIGNATURE_PLACES,
  SIGNED,
  signatureRecord,
  signer,
  simplePayload,
  statement,
} from '../fixtures/signatures.js';

const RELEASE = signer('release');
const PROVENANCE = 'https://slsa.dev/provenance/v1';

for (const place of SIGNATURE_PLACES) {
  test(`lists signatures and attestations in ${place}, and calls none of them checked`, async () => {
    const built = example({ attestations: true });
    const { digest } = built.root;
    const dsse = dsseLayer([RELEASE], statement(digest, PROVENANCE));
    const layers = [
      cosignLayer(RELEASE, simplePayload(digest)),
      // A type that an annotation states is told, though nobody has signed it.
      { ...dsse, annotations: { predicateType: PROVENANCE } },
      bundleLayer(RELEASE, statement(digest, SIGNED)),
      { mediaType: 'application/cose', bytes: 'x' },
    ];
    for (const layer of layers) {
      const image = asLayoutImage(signatureRecord(built.blobs, built.root, layer, place));
      const bytes = await layoutArchive([...built.images, image], built.blobs);
      const store = new MemoryStore();
      await load(store, bytes);
      const inspections = [
        ...(await inspectImages(store, FAMILIAR)),
        ...(await inspectArchive(chunksOf(bytes))).images.filter(({ name }) => name === NAME),
      ];
      assert.equal(inspections.length, 2);
      for (const { signatures } of inspections) {
        const own = signatures.filter(({ kind }) => kind !== 'in-toto');
        assert.deepEqual(
          own.map(({ over, state, predicateType }) => ({ over, state, predicateType })),
          [{ over: digest, state: 'not checked', predicateType: layer === layers[1] ? PROVENANCE : undefined }],
        );
        const unsigned = signatures.filter(({ kind }) => kind === 'in-toto');
        assert.deepEqual([...new Set(unsigned.map(({ state }) => state))], ['unsigned']);
        assert.equal(unsigned.length, built.attestations.size);
      }
    }
  });
}
