import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { assert as property, property as holds, string } from 'fast-check';
import { LadingError } from '../../src/model/errors.js';
import { runtimeUserOf, userFilesOf, type RuntimeUser, type UserFile } from '../../src/model/runtime-user.js';

const PASSWD = [
  '# comment',
  'broken',
  'bad:x:one:2',
  'app:x:7:8:a b:/:/sh\r',
  'app:x:70:80',
  '5:x:50:51',
  'b:x:9:10',
].join('\n');
const GROUP = ['app:x:8:app', 'wheel:x:10:root,app', 'twice:x:10:app', 'none:x:11:', 'bad:x:z:app', 'wheel:x:99:'].join(
  '\n',
);
const FILES = new Map<UserFile, string>([
  ['etc/passwd', PASSWD],
  ['etc/group', GROUP],
]);

const KNOWN: readonly (readonly [text: string, files: readonly string[], user: RuntimeUser])[] = [
  ['', [], { uid: 0, gid: 0 }],
  [':', [], { uid: 0, gid: 0 }],
  [':11', [], { uid: 0, gid: 11 }],
  [':wheel', ['etc/group'], { uid: 0, gid: 10 }],
  ['0', ['etc/passwd'], { uid: 0, gid: 0 }],
  ['7', ['etc/passwd'], { uid: 7, gid: 8 }],
  ['007', ['etc/passwd'], { uid: 7, gid: 8 }],
  ['7:', ['etc/passwd'], { uid: 7, gid: 8 }],
  ['5', ['etc/passwd'], { uid: 5, gid: 0 }],
  ['1234', ['etc/passwd'], { uid: 1234, gid: 0 }],
  ['4294967294:4294967294', [], { uid: 4294967294, gid: 4294967294 }],
  ['7:9', [], { uid: 7, gid: 9 }],
  ['7:wheel', ['etc/group'], { uid: 7, gid: 10 }],
  ['app', ['etc/passwd', 'etc/group'], { uid: 7, gid: 8, additionalGids: [10] }],
  ['app:none', ['etc/passwd', 'etc/group'], { uid: 7, gid: 11 }],
  ['app:3', ['etc/passwd'], { uid: 7, gid: 3 }],
  ['b', ['etc/passwd', 'etc/group'], { uid: 9, gid: 10 }],
];

describe('the user of an image', () => {
  for (const [text, files, user] of KNOWN) {
    test(`${JSON.stringify(text)} is ${JSON.stringify(user)}`, () => {
      assert.deepEqual(userFilesOf(text), files);
      assert.deepEqual(runtimeUserOf(text, FILES), user);
    });
  }

  for (const text of ['nobody', 'bad', 'app:nogroup', '7:bad', '4294967295', '7:4294967295', 'app:a:b', '-1', ' 7']) {
    test(`${JSON.stringify(text)} is unknown`, () => {
      assert.throws(() => runtimeUserOf(text, FILES), { code: 'ERR_USER_UNKNOWN' });
    });
  }

  test('is root by name only where a file says so, and a number needs no file', () => {
    assert.throws(() => runtimeUserOf('root', new Map()), { code: 'ERR_USER_UNKNOWN' });
    assert.deepEqual(runtimeUserOf('7', new Map()), { uid: 7, gid: 0 });
  });

  test('is known or ERR_USER_UNKNOWN, whatever the text and the files', () => {
    property(
      holds(string(), string(), string(), (text, passwd, group) => {
        const files = new Map<UserFile, string>([
          ['etc/passwd', passwd],
          ['etc/group', group],
        ]);
        try {
          const { uid, gid } = runtimeUserOf(text, files);
          assert.ok(Number.isInteger(uid) && Number.isInteger(gid));
        } catch (error) {
          assert.ok(error instanceof LadingError && error.code === 'ERR_USER_UNKNOWN', String(error));
        }
      }),
      { seed: 15 },
    );
  });
});
