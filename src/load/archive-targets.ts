import { parseStrictJson } from '../content/strict-json.js';
import { INDEX_ENTRY, LAYOUT_ENTRY } from '../model/archive-layout.js';
import { followLinks } from '../model/archive-links.js';
import { parseDockerManifest, type DockerArchiveImage } from '../model/docker-archive.js';
import { LadingError, quote } from '../model/errors.js';
import type { ImageRecord } from '../model/image-list.js';
import { asFields } from '../model/json.js';
import type { Limits } from '../model/limits.js';
import { checkDocuments, refuseDirForm } from '../model/not-an-image.js';
import { parseReference } from '../model/reference.js';
import type { ArchiveContents } from '../stages/records.js';
import type { DestinationSession } from '../stores/store.js';
import type { Warning } from '../survey/reports.js';
import { Unversioned } from '../survey/unversioned.js';
import { WarningList } from '../survey/warning-list.js';
import { ArchiveNames, withoutRepeats } from './archive-names.js';
import { dockerArchiveTargets } from './docker-archive-targets.js';
import { layoutTargets, type LayoutTargets } from './layout-targets.js';

/** What an archive contains, and what is to be said about it. */
export interface ArchiveTargets extends LayoutTargets {
  readonly warnings: readonly Warning[];
}

/** The limits for documents, and whether to refuse a name that cannot be used. */
export interface ArchiveTargetsOptions {
  readonly limits: Limits;
  readonly strict: boolean;
}

/** Finds the images of the archive: by its OCI layout if it has one, else as a docker-archive. */
export async function archiveTargets(
  session: DestinationSession,
  contents: ArchiveContents,
  { limits, strict }: ArchiveTargetsOptions,
): Promise<ArchiveTargets> {
  const { layout, index, manifestJson, links } = contents;
  // Unused links too: a tool that unpacks the archive could follow them in a circle.
  for (const name of links.keys()) followLinks(name, { links });
  const warnings = new WarningList();
  const names = new ArchiveNames({ strict, warnings });
  if (layout !== undefined && index !== undefined) {
    checkLayoutVersion(layout, limits);
    const found = await layoutTargets(
      session,
      { ...contents, index },
      {
        limits,
        names,
        onUnversioned: () => new Unversioned({ strict }).warn(warnings, INDEX_ENTRY),
      },
    );
    if (manifestJson !== undefined) await compare(found.images, parsed(manifestJson, limits), names, warnings);
    return { ...found, warnings: warnings.warnings };
  }
  if (manifestJson !== undefined) {
    const images = await dockerArchiveTargets(session, contents, parsed(manifestJson, limits), { limits, names });
    return { images: withoutRepeats(images), referrers: [], opaque: [], warnings: warnings.warnings };
  }
  const documents = [...(layout ? [LAYOUT_ENTRY] : []), ...(index ? [INDEX_ENTRY] : [])];
  checkDocuments([...documents, ...contents.files.keys()]);
  throw new Error('an archive without documents was accepted');
}

function checkLayoutVersion(layout: Buffer, limits: Limits): void {
  const value = parseStrictJson(layout, LAYOUT_ENTRY, limits.maxJsonDepth);
  const version = asFields(value, LAYOUT_ENTRY, ['imageLayoutVersion'])['imageLayoutVersion'];
  if (version === '1.0.0') return;
  const message = `the archive has OCI layout version ${quote(JSON.stringify(version) ?? 'nothing')}; only 1.0.0 is known`;
  throw new LadingError('ERR_FORMAT_UNSUPPORTED', message);
}

function parsed(manifestJson: Buffer, limits: Limits): readonly DockerArchiveImage[] {
  const value = parseStrictJson(manifestJson, 'manifest.json', limits.maxJsonDepth);
  refuseDirForm(value);
  return parseDockerManifest(value);
}

/** The OCI layout wins over `manifest.json`. Warns of each name that only `manifest.json` has. */
async function compare(
  images: readonly ImageRecord[],
  listed: readonly DockerArchiveImage[],
  names: ArchiveNames,
  warnings: WarningList,
): Promise<void> {
  const known = new Set(images.map(({ name }) => name));
  for (const { repoTags } of listed) {
    for (const name of await names.ofTags(repoTags)) {
      if (known.has(name)) continue;
      const image = parseReference(name).familiar();
      const message = `manifest.json names ${quote(image)}, index.json does not; index.json was followed`;
      warnings.add('WARN_MANIFEST_JSON', () => ({ message, image }));
    }
  }
}
