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

const refused = (what: string, name: string): CorpusCase => [what, 'ERR_REFERENCE_INVALID', named(name)];
const unnamed: Verdict = loads(['']);
const { root } = base();
const other = digestOf('other');

const CASES: readonly CorpusCase[] = [
  refused('upper case', 'docker.io/Example/App:1'),
  refused('".." in a name', 'docker.io/../../etc/passwd:1'),
  refused('".." alone', '../x'),
  refused('an absolute path', '/etc/passwd'),
  refused('letters beyond ASCII', 'docker.io/exämple/app:1'),
  refused('letters that look like ASCII', 'docker.io/еxample/app:1'),
  refused('5 000 characters', `docker.io/${'a'.repeat(5000)}:1`),
  refused('a tag of 129 characters', `docker.io/example/app:${'t'.repeat(129)}`),
  refused('a digest', digestOf('x')),
  refused('64 hex characters', digestOf('x').slice(7)),
  refused('a line feed', 'example/app:1\nLoaded image: example/evil:1'),
  refused('an escape sequence', 'example/\u001B[2J\u001B]0;title\u0007app:1'),
  refused('a NUL', 'example/app\0:1'),
  refused('characters that reverse the direction of writing', 'example/\u202Eppa:1'),
  refused('a space', 'example/app 1'),
  refused('name@digest of another image', `docker.io/example/app@${other}`),
  refused('name@digest of an unknown algorithm', 'docker.io/example/app@md5:d41d8cd98f00b204e9800998ecf8427e'),
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
  ['<none>:<none>', unnamed, named('<none>:<none>')],
  ['an empty name', unnamed, named('')],
  ['a bare tag', unnamed, referred('latest')],
  ['an invalid name for other tools', unnamed, referred('Example//App:1')],
  ['a name for other tools with an escape sequence', unnamed, referred('a/\u001B[2J:1')],
  ['a name for other tools', loads(['docker.io/example/app:2']), referred('example/app:2')],
  [
    'a name that is not a text',
    'ERR_DOCUMENT_INVALID',
    () =>
      layoutOf([{ root: { ...root, annotations: { [ANNOTATIONS.imageName]: 5 as unknown as string } } }], base().blobs),
  ],
];

runFamily('names', CASES, 28);
