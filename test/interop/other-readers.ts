import { loadImages } from '../../src/load/load-images.js';
import { digestOf, type Digest } from '../../src/model/digest.js';
import { LadingError } from '../../src/model/errors.js';
import { formatPlatform, normalizePlatform, parsePlatform } from '../../src/model/platform.js';
import { MemoryStore } from '../../src/stores/memory/memory-store.js';
import { runCommand } from '../fixtures/command.js';
import { chunksOf } from '../fixtures/loading.js';
import { HOST } from '../fixtures/saved-archive.js';
import type { Containerd } from './containerd.js';
import { skopeoPlatform } from './skopeo.js';

/** What a reader finds in an archive: the root and the platforms of each name, or the word for its refusal. */
export type View = Readonly<Record<string, SeenImage>> | string;

export interface SeenImage {
  readonly root: Digest;
  /** Sorted, in normal form, without `unknown/unknown`. */
  readonly platforms: readonly string[];
}

/** What `loadImages` finds, or the code of its error. An image without a name is called `unnamed`. */
export async function readWithLading(archive: Buffer): Promise<View> {
  try {
    const { images } = await loadImages(new MemoryStore(), chunksOf(archive), { hostPlatform: HOST });
    return Object.fromEntries(
      images.map(({ name, digest, platforms }) => {
        const complete = platforms.filter(({ state }) => state === 'complete');
        return [name ?? 'unnamed', { root: digest, platforms: platformList(complete.map(({ platform }) => platform)) }];
      }),
    );
  } catch (error) {
    if (error instanceof LadingError) return error.code;
    throw error;
  }
}

/** What `ctr images import` finds, in a namespace of its own. Does not unpack layers. */
export async function readWithContainerd(containerd: Containerd, file: string, namespace: string): Promise<View> {
  try {
    await containerd.ctr('-n', namespace, 'images', 'import', '--all-platforms', '--no-unpack', file);
  } catch {
    return 'refuses';
  }
  const rows = (await containerd.ctr('-n', namespace, 'images', 'ls')).trim().split('\n').slice(1);
  return Object.fromEntries(rows.map(imageOfRow));
}

/** Columns: REF TYPE DIGEST SIZE UNIT PLATFORMS LABELS. A name that containerd invents contains the date. */
function imageOfRow(row: string): [string, SeenImage] {
  const [name = '', , root = '', , , platforms = ''] = row.split(/\s+/);
  const shown = name.replace(/^import-\d{4}-\d\d-\d\d/, 'import-DATE');
  return [shown, { root: root as Digest, platforms: platformList(platforms.split(',')) }];
}

/** Platforms in one spelling, from those of different readers. */
function platformList(texts: readonly string[]): readonly string[] {
  const named = texts.filter((text) => !text.startsWith('unknown') && text !== '-');
  return [...new Set(named.map((text) => formatPlatform(normalizePlatform(parsePlatform(text)))))].toSorted();
}

/** The root that skopeo finds under a reference; undefined if it refuses. */
export async function rootBySkopeo(source: string): Promise<Digest | undefined> {
  const { status, output } = await runCommand('skopeo', ['inspect', '--raw', source]);
  return status === 0 ? digestOf(output) : undefined;
}

/** The digest of the config that skopeo chooses for a platform; undefined if it finds none. */
export async function configBySkopeo(source: string, platform: string): Promise<Digest | undefined> {
  const args = [...skopeoPlatform(platform), 'inspect', '--raw', '--config', source];
  const { status, output } = await runCommand('skopeo', args);
  return status === 0 ? digestOf(output) : undefined;
}

/** A view in one line: `name (platforms)` for each image. */
export function summaryOf(view: View): string {
  if (typeof view === 'string') return view;
  const images = Object.entries(view).map(([name, { platforms }]) => `${name} (${platforms.join(' ')})`);
  return images.length === 0 ? 'no image' : images.join(', ');
}
