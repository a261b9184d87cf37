import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inspectionReportOf } from '../../src/inspect/inspection-report.js';
import type { ImageInspection, PlatformInspection } from '../../src/inspect/inspect-images.js';
import { digestOf } from '../../src/model/digest.js';
import { inspectionPage } from '../../src/page/inspection-page.js';

const TYPE = 'application/vnd.oci.image.layer.v1.tar';

/** An image of some platforms with some layers each, made up for the page alone. */
function imageOf(platforms: number, layers: number, createdBy = 'RUN make'): ImageInspection {
  const one = (at: number): PlatformInspection => ({
    platform: `linux/p${at}`,
    digest: digestOf(`manifest ${at}`),
    state: 'complete',
    indexes: [],
    manifest: { digest: digestOf(`manifest ${at}`), size: 500, mediaType: TYPE, state: 'present' },
    layers: Array.from({ length: layers }, (_, layer) => ({
      digest: digestOf(`layer ${layer % 7 === 0 ? '' : at} ${layer}`),
      size: layer * 1000,
      mediaType: TYPE,
      state: 'present',
      createdBy,
    })),
    bytes: 1000,
  });
  return {
    names: [],
    digest: digestOf('image'),
    mediaType: TYPE,
    platforms: Array.from({ length: platforms }, (_, at) => one(at)),
    referrers: [],
    signatures: [],
    bytes: 0,
    sharedBytes: 0,
    warnings: [],
  };
}

function countOf(text: string, part: string): number {
  return text.split(part).length - 1;
}

test('draws no more than 200 rows and 5000 blocks, and says so', () => {
  const drawn = inspectionPage(inspectionReportOf([imageOf(200, 25)]));
  assert.deepEqual([countOf(drawn, '<svg'), countOf(drawn, ' class="b ')], [1, 5000]);
  for (const image of [imageOf(201, 1), imageOf(100, 51)]) {
    const page = inspectionPage(inspectionReportOf([image]));
    assert.equal(countOf(page, '<svg'), 0);
    assert.match(page, /too many for a picture/);
    assert.equal(countOf(page, '<details '), image.platforms.length);
  }
});

test('is never larger than 10 MB, and says what it leaves out', () => {
  const image = imageOf(60, 100, `RUN ${'&'.repeat(2000)}`);
  const page = inspectionPage(inspectionReportOf([image]));
  assert.ok(Buffer.byteLength(page) <= 10_000_000, `${Buffer.byteLength(page)} bytes`);
  assert.match(page, /[1-9]\d* more platforms are not shown/);
  assert.doesNotMatch(page, /id="lading-data"/);
  assert.match(page, /the JSON of these facts is too large/);
});

test('draws a page of nothing, and of an image without layers', () => {
  assert.match(inspectionPage(inspectionReportOf([])), /No image/);
  assert.match(inspectionPage(inspectionReportOf([imageOf(2, 0)])), /It has no layers/);
});

test('draws an image of a thousand layers, none narrower than three units', () => {
  const page = inspectionPage(inspectionReportOf([imageOf(1, 1000)]));
  const widths = [...page.matchAll(/<rect x="[\d.]+" y="\d+" width="([\d.]+)"/g)].map(([, width]) => Number(width));
  assert.equal(widths.length, 1000);
  assert.ok(widths.every((width) => width >= 3 && Number.isFinite(width)));
});
