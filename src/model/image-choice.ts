import { isCompanionName } from './companion-tag.js';
import { ANNOTATIONS, type Descriptor } from './descriptor.js';
import { isDigest } from './digest.js';
import { LadingError, quote } from './errors.js';
import { Glob, isPattern, textsOfName } from './glob.js';
import { readImageName } from './reference.js';
import { repositoryOf } from './resolve-records.js';

/** What is known of an image that may be meant: its digest, and the names and tags that it has. */
export interface NamedDigest {
  readonly digest?: string;
  readonly texts: readonly string[];
}

/**
 * Which images of an archive are meant: each text is a digest, a name (without a tag: every tag of the repository), a
 * tag, or a pattern that `Glob` takes. Before all documents were read, the answers may include too many, never too few.
 */
export class ImageChoice {
  readonly texts: readonly string[];
  readonly #tests: readonly ChoiceTest[];

  private constructor(texts: readonly string[]) {
    this.texts = texts;
    this.#tests = texts.map(testOf);
  }

  /** Undefined for no text, which means every image. Throws ERR_OPTION_INVALID for a malformed pattern. */
  static of(texts: readonly string[] = []): ImageChoice | undefined {
    return texts.length === 0 ? undefined : new ImageChoice([...new Set(texts)]);
  }

  /**
   * The roots of an `index.json` that may be meant, or belong to one that is. A root without a name may be a referrer,
   * and if a text fits no root, only `manifest.json` may tell what it means.
   */
  rootsThatMayBe(roots: readonly Descriptor[]): readonly Descriptor[] {
    if (!this.areRootsMeant(roots)) return roots;
    return roots.filter((root) => this.#means(namedRoot(root)) || textsOf(root).every(isCompanionName));
  }

  /** Whether each text means a root. */
  areRootsMeant(roots: readonly Descriptor[]): boolean {
    const open = new Set(this.#tests);
    for (const root of roots) {
      if (open.size === 0) return true;
      const facts = factsOf(namedRoot(root));
      for (const test of open) if (test(facts)) open.delete(test);
    }
    return open.size === 0;
  }

  /**
   * Whether an image of `manifest.json` with these names may be meant, by a text that is not the digest of a known root.
   * Nothing there tells the image's digest.
   */
  mayMean(names: readonly unknown[], isRoot: (digest: string) => boolean = () => false): boolean {
    if (this.texts.every(isRoot)) return false;
    const texts = names.filter((name) => typeof name === 'string');
    if (texts.length === 0 || this.texts.some((text) => isDigest(text) && !isRoot(text))) return true;
    return this.#means({ texts });
  }

  #means(image: NamedDigest): boolean {
    const facts = factsOf(image);
    return this.#tests.some((test) => test(facts));
  }
}

/** What an image goes by: its digest, its names in every form that may mean them, and its tags. */
interface Facts {
  readonly exact: ReadonlySet<string>;
  readonly texts: readonly string[];
}

type ChoiceTest = (facts: Facts) => boolean;

function testOf(text: string): ChoiceTest {
  if (isPattern(text)) {
    const glob = Glob.parse(text);
    if (glob === undefined) throw new LadingError('ERR_OPTION_INVALID', `${quote(text)} is not a pattern`);
    return ({ texts }) => texts.some((one) => glob.matches(one));
  }
  const full = fullTextOf(text);
  return ({ exact }) => exact.has(text) || (full !== undefined && exact.has(full));
}

/** The name in full; of a name without a tag, the repository. Undefined for a text that cannot be a name. */
export function fullTextOf(text: string): string | undefined {
  const read = readImageName(text);
  if (typeof read === 'string') return undefined;
  const full = read.toString();
  return repositoryOf(text) === text ? repositoryOf(full) : full;
}

function factsOf({ digest, texts }: NamedDigest): Facts {
  const all = texts.flatMap(formsOf);
  return { exact: new Set([...(digest === undefined ? [] : [digest]), ...all]), texts: all };
}

/** A name in its forms, with its tag alone; another text as it is. */
function formsOf(text: string): readonly string[] {
  const name = readImageName(text);
  if (typeof name === 'string') return [text];
  return [text, ...textsOfName(name.toString()), ...(name.tag === undefined ? [] : [name.tag])];
}

function namedRoot(root: Descriptor): NamedDigest {
  return { digest: root.digest, texts: textsOf(root) };
}

/** The names and tags of a root. */
function textsOf({ annotations }: Descriptor): readonly string[] {
  return [annotations?.[ANNOTATIONS.imageName], annotations?.[ANNOTATIONS.refName]].filter(
    (text) => text !== undefined,
  );
}
