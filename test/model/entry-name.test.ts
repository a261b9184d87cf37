import assert from 'node:assert/strict';
import { posix } from 'node:path';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { checkEntryName, checkLink, linkTarget } from '../../src/model/entry-name.js';

const BAD = { code: 'ERR_TAR_ENTRY' };

describe('an entry name', () => {
  for (const name of [
    'a',
    'a/b',
    './a',
    'a/',
    '...',
    '..a',
    'a..',
    'a/..b/c',
    'é',
    '\u2028',
    'a b',
    '/a',
    '//a',
    '\\..\\',
    'C:\\x',
  ]) {
    it(`may be ${JSON.stringify(name)}`, () => {
      checkEntryName(name, 4096);
    });
  }

  const refused = [
    '',
    '/',
    '//',
    '/../a',
    '..',
    '../a',
    'a/..',
    'a/../b',
    './..',
    'a\0',
    '\u001b[2J',
    'a\nb',
    'a\u007f',
    '\t',
  ];
  for (const name of refused) {
    it(`may not be ${JSON.stringify(name)}`, () => {
      assert.throws(() => checkEntryName(name, 4096), { ...BAD, details: { entry: name } });
    });
  }

  it('is measured in bytes', () => {
    checkEntryName('é'.repeat(5), 10);
    assert.throws(() => checkEntryName('é'.repeat(5), 9), BAD);
  });
});

describe('a link', () => {
  type Link = readonly [name: string, type: 'symlink' | 'link', linkname: string, target?: string];
  const accepted: readonly Link[] = [
    ['l', 'symlink', 'a', 'a'],
    ['d/l', 'symlink', 'a', 'd/a'],
    ['d/l', 'symlink', '../a', 'a'],
    ['d/l', 'symlink', '../e/./a', 'e/a'],
    ['d/e/l', 'symlink', '../../a', 'a'],
    ['d/l', 'symlink', '..', '.'],
    ['d/l', 'link', 'a', 'a'],
    ['d/l', 'link', './e/../a', 'a'],
    ['l', 'symlink', '..a', '..a'],
    ['l', 'link', '/a', 'a'],
    ['d/l', 'link', '//a/b', 'a/b'],
  ];
  for (const [name, type, linkname, target] of accepted) {
    it(`may lead as a ${type} from ${name} by ${linkname} to ${target}`, () => {
      checkLink(name, type, linkname);
      assert.equal(linkTarget(name, type, linkname), target);
    });
  }

  const refused: readonly Link[] = [
    ['l', 'symlink', ''],
    ['l', 'symlink', '/a'],
    ['l', 'symlink', '..'],
    ['l', 'symlink', '../a'],
    ['l', 'symlink', 'a/../../b'],
    ['d/l', 'symlink', '../../a'],
    ['d/l', 'link', '../a'],
    ['d/l', 'link', '..'],
    ['l', 'link', '/../a'],
    ['l', 'link', ''],
    ['l', 'symlink', 'a\0b'],
    ['l', 'link', '\u001b'],
  ];
  for (const [name, type, linkname] of refused) {
    it(`may not lead as a ${type} from ${name} by ${JSON.stringify(linkname)}`, () => {
      assert.throws(() => checkLink(name, type, linkname), BAD);
    });
  }

  it('never leads out of the archive once it was accepted', () => {
    const part = fc.constantFrom('a', 'b', '.', '..', '', '...');
    const name = fc.array(part, { minLength: 1, maxLength: 6 }).map((parts) => parts.join('/'));
    fc.assert(
      fc.property(name, name, fc.constantFrom('symlink', 'link'), (from, to, type) => {
        try {
          checkEntryName(from, 4096);
          checkLink(from, type, to);
        } catch {
          return;
        }
        const reached = posix.resolve('/root', linkTarget(from, type, to));
        assert.ok(reached === '/root' || reached.startsWith('/root/'), `${from} by ${to} to ${reached}`);
      }),
    );
  });
});
