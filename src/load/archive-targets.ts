import { parseDockerManifestBytes } from '../content/parse-document.js';
import { parseStrictJson } from '../content/strict-json.js';
import { INDEX_ENTRY, LAYOUT_ENTRY, THIN_ENTRY } from '../model/archive-layout.js';
import { followLinks } from '../model/archive-links.js';
import { LadingError, quote } from '../model/errors.js';
import type { DockerArchiveImage } from '../model/docker-archive.js';
import type { ImageChoice } from '../model/image-choice.js';
import { asFields } from '../model/json.js';
import type { Limits } from '../model/limits.js';
import { checkDocuments } from '../model/not-an-image.js';
import { PlatformSet, type PlatformRequest } from '../model/platform-set.js';
import { readImageName } from '../model/reference.js';
import { wrongThin } from '../model/thin-list.js';
import type { ArchiveContents } from '../stages/records.js';
import type { DestinationSession } from '../stores/store.js';
import type { Warning } from '../survey/reports.js';
import { Unversioned } from '../survey/unversioned.js';
import { WarningList } from '../survey/warning-list.js';
import { ArchiveNames, withoutRepeats } from './archive-names.js';
import { unknownChoice } from './choose-images.js';
import { dockerArchiveTargets } from './docker-archive-targets.js';
import { joinManifestJson } from './join-manifest-json.js';
import { layoutTargets, type LayoutTargets } from './layout-targets.js';

/** What an archive contains, and what is to be said about it. */
export interface ArchiveTargets extends LayoutTargets {
  readonly warnings: readonly Warning[];
}

/** The limits for documents, whether to refuse a name that cannot be used, and the filter of the load. */
export interface ArchiveTargetsOptions {
  readonly limits: Limits;
  readonly strict: boolean;
  readonly platforms: readonly PlatformRequest[];
  readonly choice?: ImageChoice | undefined;
}

/** Finds the images of the archive: by its OCI layout if it has one, else as a docker-archive. */
export async function archiveTargets(
  session: DestinationSession,
  contents: ArchiveContents,
  { limits, strict, platforms, choice }: ArchiveTargetsOptions,
): Promise<ArchiveTargets> {
  const { layout, index, manifestJson, links, thin } = contents;
  // Unused links too: a tool that unpacks the archive could follow them in a circle.
  for (const name of links.keys()) followLinks(name, { links });
  const warnings = new WarningList();
  const names = new ArchiveNames({ strict, warnings });
  const listed = manifestJson && (await parseDockerManifestBytes(manifestJson, limits));
  if (thin !== undefined && (layout ?? manifestJson) !== undefined) throw wrongThin('is a whole one, too');
  if ((layout ?? thin) !== undefined && index !== undefined) {
    if (layout !== undefined) await checkLayoutVersion(layout, limits);
    const found = await layoutTargets(
      session,
      { index, stored: contents.stored },
      {
        limits,
        names,
        onUnversioned: () => new Unversioned({ strict }).warn(warnings, INDEX_ENTRY),
      },
    );
    const options = { limits, names, warnings, platforms: new PlatformSet<never>(platforms), choice };
    const images = listed ? await joinManifestJson(session, contents, found.images, listed, options) : found.images;
    return { ...found, images, warnings: warnings.warnings };
  }
  if (listed !== undefined) {
    const meant = meantAmong(listed, choice);
    const images = withoutRepeats(await dockerArchiveTargets(session, contents, meant, { limits, names }));
    return { images, referrers: [], opaque: [], warnings: warnings.warnings };
  }
  const documents = [...(layout ? [LAYOUT_ENTRY] : []), ...(thin ? [THIN_ENTRY] : []), ...(index ? [INDEX_ENTRY] : [])];
  checkDocuments([...documents, ...contents.files.keys()]);
  throw new Error('an archive without documents was accepted');
}

/** The images of a docker-archive that may be meant. The files of the others may not be here. Throws ERR_IMAGE_UNKNOWN. */
function meantAmong(
  listed: readonly DockerArchiveImage[],
  choice: ImageChoice | undefined,
): readonly DockerArchiveImage[] {
  if (choice === undefined) return listed;
  const meant = listed.filter(({ repoTags }) => choice.mayMean(repoTags));
  if (meant.length > 0 || listed.length === 0) return meant;
  const texts = listed.flatMap(({ repoTags }) => repoTags).filter((tag) => typeof tag === 'string');
  const labels = texts
    .map((text) => readImageName(text))
    .flatMap((name) => (typeof name === 'string' ? [] : [name.familiar()]));
  throw unknownChoice(labels, choice.texts[0] ?? '');
}

async function checkLayoutVersion(layout: Buffer, limits: Limits): Promise<void> {
  const value = await parseStrictJson(layout, LAYOUT_ENTRY, limits.maxJsonDepth);
  const version = asFields(value, LAYOUT_ENTRY, ['imageLayoutVersion'])['imageLayoutVersion'];
  if (version === '1.0.0') return;
  const message = `the archive has OCI layout version ${quote(JSON.stringify(version) ?? 'nothing')}; only 1.0.0 is known`;
  throw new LadingError('ERR_FORMAT_UNSUPPORTED', message);
}
