import { ANNOTATIONS } from '../../src/model/descriptor.js';
import { digestOf } from '../../src/model/digest.js';
import { base, layoutOf, loads, type CorpusCase, type Verdict } from './corpus.js';
import { runFamily } from './run-family.js';

/** The base image under this full name. */
function named(name: string): CorpusCase[2] {
  const { root, blobs } = base();
  return () => layoutOf([{ root, name }], blobs);
}

/** The base image with this tag or name, only in the annotation for other tools. */
function referred(refName: string): CorpusCase[2] {
  const { root, blobs } = base();
  return () => layoutOf([{ root, refName }], blobs);
}

/** Two images of these names. */
function pair(a: string, b: string): CorpusCase[2] {
  const { blobs, of } = base();
  return () =>
    layoutOf(
      [
        { root: of('linux/amd64'), name: a },
        { root: of('linux/arm64'), name: b },
      ],
      blobs,
    );
}

/** The name costs only itself: the image is loaded without it. */
const dropped = (what: string, name: string): CorpusCase => [what, loads([''], ['WARN_NAME_DROPPED']), named(name)];
const unnamed: Verdict = loads(['']);
const { root } = base();
const other = digestOf('other');

const CASES: readonly CorpusCase[] = [
  dropped('upper case', 'docker.io/Example/App:1'),
  dropped('".." in a name', 'docker.io/../../etc/passwd:1'),
  dropped('".." alone', '../x'),
  dropped('an absolute path', '/etc/passwd'),
  dropped('letters beyond ASCII', 'docker.io/exämple/app:1'),
  dropped('letters that look like ASCII', 'docker.io/еxample/app:1'),
  dropped('5 000 characters', `docker.io/${'a'.repeat(5000)}:1`),
  dropped('a tag of 129 characters', `docker.io/example/app:${'t'.repeat(129)}`),
  dropped('a digest', digestOf('x')),
  dropped('64 hex characters', digestOf('x').slice(7)),
  dropped('a line feed', 'example/app:1\nLoaded image: example/evil:1'),
  dropped('an escape sequence', 'example/\u001B[2J\u001B]0;title\u0007app:1'),
  dropped('a NUL', 'example/app\0:1'),
  dropped('characters that reverse the direction of writing', 'example/\u202Eppa:1'),
  dropped('a space', 'example/app 1'),
  dropped('name@digest of another image', `docker.io/example/app@${other}`),
  dropped('name@digest of an unknown algorithm', 'docker.io/example/app@md5:d41d8cd98f00b204e9800998ecf8427e'),
  [
    'name@digest of the image itself',
    loads([`docker.io/example/app@${root.digest}`]),
    named(`docker.io/example/app@${root.digest}`),
  ],
  ['one name for two images', 'ERR_NAME_DUPLICATE', pair('docker.io/example/app:1', 'docker.io/example/app:1')],
  [
    'two spellings of one name for two images',
    'ERR_NAME_DUPLICATE',
    pair('example/app', 'docker.io/example/app:latest'),
  ],
  ['two names', loads(['docker.io/example/a:1', 'docker.io/example/b:1']), pair('example/a:1', 'example/b:1')],
  dropped('<none>:<none>', '<none>:<none>'),
  ['an empty name', unnamed, named('')],
  ['a bare tag', loads([''], ['WARN_TAG_ONLY']), referred('latest')],
  ['an invalid name for other tools', loads([''], ['WARN_NAME_DROPPED']), referred('Example//App:1')],
  ['a name for other tools with an escape sequence', loads([''], ['WARN_NAME_DROPPED']), referred('a/\u001B[2J:1')],
  ['a name for other tools', loads(['docker.io/example/app:2']), referred('example/app:2')],
  [
    'a name that is not a text',
    'ERR_DOCUMENT_INVALID',
    () =>
      layoutOf([{ root: { ...root, annotations: { [ANNOTATIONS.imageName]: 5 as unknown as string } } }], base().blobs),
  ],
];

runFamily('names', CASES, 28);
