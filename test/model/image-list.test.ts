import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { ANNOTATIONS, type Descriptor } from '../../src/model/descriptor.js';
import { digestOf } from '../../src/model/digest.js';
import {
  imageIndexOf,
  publishRecords,
  recordsOf,
  removeRecords,
  subjectOf,
  type ImageRecord,
} from '../../src/model/image-list.js';
import { resolveRecords } from '../../src/model/resolve-records.js';
import { MEDIA_TYPES } from '../../src/model/media-types.js';

function image(content: string): Descriptor {
  return { mediaType: MEDIA_TYPES.ociIndex, digest: digestOf(content), size: content.length };
}

function named(name: string, content: string): ImageRecord {
  return { name: `docker.io/example/${name}`, descriptor: image(content) };
}

const [ONE, TWO, THREE] = [named('app:1', 'one'), named('app:2', 'two'), named('other:1', 'three')] as const;
const UNNAMED: ImageRecord = { descriptor: image('unnamed') };
const REPLACED: ImageRecord = { ...UNNAMED, replaced: true };
const tagged = (tag: string): ImageRecord => ({ tag, descriptor: ONE.descriptor });
const TAGGED = tagged('1');
const REFERRER: ImageRecord = {
  descriptor: { ...image('sbom'), annotations: { [ANNOTATIONS.subject]: ONE.descriptor.digest } },
};

describe('publishRecords', () => {
  const renamed = { ...ONE, descriptor: TWO.descriptor };
  const cases: readonly (readonly [
    what: string,
    before: readonly ImageRecord[],
    additions: readonly ImageRecord[],
    after: readonly ImageRecord[],
  ])[] = [
    ['adds a name to nothing', [], [ONE], [ONE]],
    ['changes nothing for no additions', [ONE, UNNAMED], [], [ONE, UNNAMED]],
    ['adds several names at once', [ONE], [TWO, THREE], [ONE, TWO, THREE]],
    ['accepts the same image under its name again', [ONE], [ONE], [ONE]],
    [
      'keeps an image that lost its name, unnamed',
      [ONE],
      [renamed],
      [renamed, { descriptor: ONE.descriptor, replaced: true }],
    ],
    [
      'drops an unnamed copy of an image that has another name',
      [ONE, { ...THREE, descriptor: ONE.descriptor }],
      [renamed],
      [{ ...THREE, descriptor: ONE.descriptor }, renamed],
    ],
    ['gives an unnamed image its name', [{ descriptor: ONE.descriptor }], [ONE], [ONE]],
    ['does not add an unnamed record of an image that has a name', [ONE], [{ descriptor: ONE.descriptor }], [ONE]],
    ['adds an unnamed image once', [UNNAMED], [UNNAMED], [UNNAMED]],
    ['keeps an unnamed image that comes again after it lost its name', [REPLACED], [UNNAMED], [UNNAMED]],
    ['keeps every tag of an image', [TAGGED], [tagged('2')], [TAGGED, tagged('2')]],
    ['adds a tag of an image once', [TAGGED], [TAGGED], [TAGGED]],
    ['adds one tag of two images', [TAGGED], [{ ...UNNAMED, tag: '1' }], [TAGGED, { ...UNNAMED, tag: '1' }]],
    ['drops a tag for a name with the same tag and image', [TAGGED, tagged('2')], [ONE], [ONE, tagged('2')]],
    ['does not add a tag that a name has', [ONE], [TAGGED, tagged('2')], [ONE, tagged('2')]],
    [
      'does not add an unnamed record of an image that has a tag',
      [TAGGED],
      [{ descriptor: TAGGED.descriptor }],
      [TAGGED],
    ],
    ['gives an unnamed image its tag', [{ descriptor: ONE.descriptor }], [TAGGED], [TAGGED]],
    ['keeps referrers beside images', [ONE, REFERRER], [TWO], [ONE, TWO, REFERRER]],
    [
      'uses the last of two descriptors for one name',
      [],
      [ONE, { ...ONE, descriptor: { ...ONE.descriptor, size: 9 } }],
      [{ ...ONE, descriptor: { ...ONE.descriptor, size: 9 } }],
    ],
  ];
  for (const [what, before, additions, after] of cases) {
    it(what, () => {
      assert.deepEqual(publishRecords(before, additions), after);
    });
  }

  it('with keep, leaves the name at its image', () => {
    assert.deepEqual(publishRecords([ONE], [renamed, TWO], 'keep'), [ONE, TWO]);
  });

  it('with fail, refuses the name of another image and accepts the same image', () => {
    assert.throws(() => publishRecords([ONE], [renamed], 'fail'), {
      code: 'ERR_NAME_CONFLICT',
      details: { name: ONE.name, existing: ONE.descriptor.digest, archive: TWO.descriptor.digest },
    });
    assert.deepEqual(publishRecords([ONE], [ONE, TWO], 'fail'), [ONE, TWO]);
  });
});

describe('removeRecords', () => {
  it('removes records by name, or by digest if they have no name', () => {
    const all = [ONE, TWO, UNNAMED, REFERRER];
    assert.deepEqual(removeRecords(all, [TWO, UNNAMED]), [ONE, REFERRER]);
    assert.deepEqual(removeRecords(all, [{ descriptor: ONE.descriptor }]), all);
    assert.deepEqual(removeRecords(all, []), all);
  });

  it('removes one tag of an image, and leaves its other tags', () => {
    const tags = [TAGGED, tagged('2'), { ...UNNAMED, tag: '1' }];
    assert.deepEqual(removeRecords(tags, [TAGGED]), tags.slice(1));
  });
});

describe('resolveRecords', () => {
  const digest = ONE.descriptor.digest;
  const sevens = ['a', 'b'].map((content): ImageRecord => ({ tag: '7', descriptor: image(content) }));
  const all = [ONE, TWO, THREE, UNNAMED, REFERRER, ...sevens];
  const hex = UNNAMED.descriptor.digest.slice('sha256:'.length);
  const found: readonly (readonly [text: string, records: readonly ImageRecord[]])[] = [
    ['example/app:1', [ONE]],
    ['docker.io/example/app:2', [TWO]],
    ['index.docker.io/example/app:2', [TWO]],
    ['example/app', [ONE, TWO]],
    [`example/app@${digest}`, [{ descriptor: ONE.descriptor }]],
    [`example/app:1@${digest}`, [ONE]],
    [UNNAMED.descriptor.digest, [UNNAMED]],
    [hex, [UNNAMED]],
    [hex.slice(0, 12), [UNNAMED]],
    [`sha256:${hex.slice(0, 12)}`, [UNNAMED]],
    [digest, [{ descriptor: ONE.descriptor }]],
    ['<none>:7', sevens],
  ];
  for (const [text, records] of found) {
    it(`finds ${records.map(({ name }) => name ?? 'an image without name').join(', ')} by ${text}`, () => {
      assert.deepEqual(resolveRecords(all, text), records);
    });
  }

  const refused: readonly (readonly [text: string, code: string])[] = [
    ['example/app:3', 'ERR_IMAGE_UNKNOWN'],
    ['example/ap', 'ERR_IMAGE_UNKNOWN'],
    [`example/app:1@${TWO.descriptor.digest}`, 'ERR_IMAGE_UNKNOWN'],
    [`example/other@${digest}`, 'ERR_IMAGE_UNKNOWN'],
    [digestOf('elsewhere'), 'ERR_IMAGE_UNKNOWN'],
    [REFERRER.descriptor.digest, 'ERR_IMAGE_UNKNOWN'],
    ['Example/App', 'ERR_REFERENCE_INVALID'],
    ['', 'ERR_REFERENCE_INVALID'],
    ['../x', 'ERR_REFERENCE_INVALID'],
    ['<none>:8', 'ERR_IMAGE_UNKNOWN'],
  ];
  for (const [text, code] of refused) {
    it(`refuses ${JSON.stringify(text)} with ${code}`, () => {
      assert.throws(() => resolveRecords(all, text), { code });
    });
  }

  it('refuses a prefix of two ids, and accepts the id of an image with two names', () => {
    const many = Array.from({ length: 40 }, (_, at): ImageRecord => ({ descriptor: image(`image ${at}`) }));
    const starts = many.map(({ descriptor }) => descriptor.digest.slice(7, 8));
    const doubled = starts.find((start, at) => starts.indexOf(start) !== at);
    assert.throws(() => resolveRecords(many, String(doubled)), { code: 'ERR_REFERENCE_AMBIGUOUS' });
    const twice = [ONE, { ...TWO, descriptor: ONE.descriptor }];
    assert.deepEqual(resolveRecords(twice, digest.slice(7, 19)), [{ descriptor: ONE.descriptor }]);
  });

  it('prefers a name to an id that begins with the same characters', () => {
    const name = UNNAMED.descriptor.digest.slice(7, 12);
    const library = { name: `docker.io/library/${name}:latest`, descriptor: ONE.descriptor };
    assert.deepEqual(resolveRecords([UNNAMED, library], name), [library]);
    assert.deepEqual(resolveRecords([UNNAMED], name), [UNNAMED]);
  });
});

describe('the store’s index', () => {
  it('contains the full name twice, and parses back to the same records', () => {
    const index = imageIndexOf([ONE, UNNAMED, REFERRER]);
    assert.deepEqual(index.manifests[0]?.annotations, {
      [ANNOTATIONS.imageName]: ONE.name,
      [ANNOTATIONS.refName]: ONE.name,
    });
    const unnamed = [UNNAMED, REFERRER].toSorted((a, b) => (a.descriptor.digest < b.descriptor.digest ? -1 : 1));
    assert.deepEqual(recordsOf(index), [ONE, ...unnamed]);
  });

  it('takes the annotations with a name or tag off the descriptor, and leaves the others', () => {
    const annotations = { [ANNOTATIONS.refName]: 'latest', [ANNOTATIONS.replaced]: 'true', kept: 'yes' };
    const [record] = recordsOf({ schemaVersion: 2, manifests: [{ ...image('x'), annotations }] });
    const descriptor = { ...image('x'), annotations: { kept: 'yes' } };
    assert.deepEqual(record, { tag: 'latest', replaced: true, descriptor });
  });

  it('is the same for the same records in any order, and round trips', () => {
    const record = fc
      .record({ at: fc.nat(5), content: fc.nat(5), kind: fc.constantFrom('name', 'tag', 'neither') })
      .map(({ at, content, kind }): ImageRecord => {
        if (kind === 'name') return named(`app:${at}`, `content ${content}`);
        return { ...(kind === 'tag' && { tag: `${at}` }), descriptor: image(`content ${content}`) };
      });
    fc.assert(
      fc.property(fc.array(record), (additions) => {
        const records = publishRecords([], additions);
        const index = imageIndexOf(records);
        assert.deepEqual(imageIndexOf(records.toReversed()), index);
        assert.deepEqual(imageIndexOf(recordsOf(index)), index);
        const keys = records.map(({ name, tag, descriptor }) => name ?? `${descriptor.digest} ${tag}`);
        assert.equal(new Set(keys).size, records.length);
      }),
    );
  });
});

describe('subjectOf', () => {
  it('is the digest that an unnamed record refers to', () => {
    assert.equal(subjectOf(REFERRER), ONE.descriptor.digest);
    assert.equal(subjectOf(UNNAMED), undefined);
    assert.equal(subjectOf({ ...REFERRER, name: 'docker.io/example/app:9' }), undefined);
    const wrong = { ...REFERRER.descriptor, annotations: { [ANNOTATIONS.subject]: 'sha256:x' } };
    assert.equal(subjectOf({ descriptor: wrong }), undefined);
  });
});
