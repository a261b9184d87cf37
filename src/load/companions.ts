import type { Documents } from '../content/documents.js';
import { companionsAmong } from '../model/companion-tag.js';
import { quote } from '../model/errors.js';
import { isImage, subjectOf, type ImageRecord } from '../model/image-list.js';
import type { BlobNeed } from '../stages/records.js';
import { imageReportOf } from '../survey/image-report.js';
import { labelOfRecord, type ImageReport, type Warning } from '../survey/reports.js';
import { strayCompanions } from '../survey/stray-companions.js';
import { surveyImages, type ListedNode, type Survey, type SurveyOptions } from '../survey/survey-images.js';
import { WarningList } from '../survey/warning-list.js';
import { loadedRecords } from './loaded-records.js';

/** What an archive lists beside its images. */
export interface Beside {
  /** Content of types that we do not know. */
  readonly opaque: readonly ImageRecord[];
  readonly referrers: readonly ImageRecord[];
  /** Images with names like `sha256-….sig`, to be taken with the image that the name tells. */
  readonly companions: readonly ImageRecord[];
  /** Those of the companions that this load was asked for, and does not just come across. */
  readonly asked: readonly ImageRecord[];
  /** Those of them all whose name another image in the store keeps. */
  readonly kept: ReadonlySet<ImageRecord>;
}

/** What a load keeps beside the images, and what it has to say about the rest. */
export interface Companions {
  readonly records: readonly ImageRecord[];
  readonly needs: readonly BlobNeed[];
  /** What gets a name, and its nodes. */
  readonly named: readonly ImageRecord[];
  readonly nodes: readonly ListedNode[];
  /** Those of the records that a list of images shows. */
  readonly images: readonly ImageReport[];
  readonly warnings: readonly Warning[];
}

/**
 * Decides what to keep beside the images. A load of all platforms keeps content of an unknown type that has a name, and
 * referrers whose subject is not among the images. Everything else is left out, with a warning.
 */
export async function companionsOf(
  documents: Documents,
  images: Survey,
  { opaque, referrers, companions, asked, kept: others }: Beside,
  request: SurveyOptions,
): Promise<Companions> {
  const walked = new Set(images.nodes.map(({ node }) => node.descriptor.digest));
  const orphans = referrers.filter(({ descriptor }) => !walked.has(descriptor.digest));
  const named = opaque.filter(({ name }) => name !== undefined);
  const rest = images.platforms.wantsAll ? [...named, ...(request.referrers === 'drop' ? [] : orphans)] : [];
  const wanted = [...rest, ...companionsAmong(companions, walked)].filter((record) => !others.has(record));
  // What belongs to an image has no platform of its own.
  const survey = await surveyImages(documents, wanted, { ...request, platforms: [] });
  const untold = asked.filter((record) => !wanted.includes(record) && !others.has(record));
  const roots = new Set(images.nodes.map(({ node }) => node.target));
  const stray = await strayCompanions(documents, untold, [...roots]);
  const here = new Set(survey.needs.map(({ descriptor }) => descriptor.digest));
  const kept = wanted.filter(({ descriptor }) => here.has(descriptor.digest));
  return {
    records: loadedRecords(survey, kept, request.referrers ?? 'follow'),
    needs: survey.needs,
    named: kept.filter(({ name }) => name !== undefined),
    nodes: survey.nodes,
    images: kept.filter(isImage).map((record) => imageReportOf(survey, record)),
    warnings: warningsOf(
      {
        opaque: opaque.filter((record) => !others.has(record)),
        referrers: wanted.filter((record) => !isImage(record)),
        stray,
      },
      new Set(kept),
    ),
  };
}

function warningsOf(
  { opaque, referrers, stray }: Pick<Beside, 'opaque' | 'referrers'> & { readonly stray: readonly ImageRecord[] },
  kept: ReadonlySet<ImageRecord>,
): readonly Warning[] {
  const list = new WarningList();
  for (const record of opaque)
    if (kept.has(record)) list.add('WARN_ROOT_UNREAD', () => rootWarning(record, UNREAD));
    else list.add('WARN_ROOT_DROPPED', () => rootWarning(record, 'it was left out'));
  for (const record of referrers) {
    if (kept.has(record)) list.add('WARN_REFERRER_KEPT', () => referrerWarning(record, 'was kept, without it'));
    else
      list.add('WARN_REFERRER_MISSING', () => referrerWarning(record, 'was left out: some of its content is missing'));
  }
  for (const record of stray) list.add('WARN_REFERRER_DROPPED', () => strayWarning(record));
  return list.warnings;
}

const UNREAD = 'its own bytes were kept, and nothing that they may list';

function rootWarning(record: ImageRecord, outcome: string): Omit<Warning, 'code'> {
  const { digest, mediaType } = record.descriptor;
  const image = labelOfRecord(record);
  const label = image === digest ? digest : `${image} (${digest})`;
  return { message: `${label} is no image, but of type ${quote(mediaType)}; ${outcome}`, image };
}

function strayWarning(record: ImageRecord): Omit<Warning, 'code'> {
  const image = labelOfRecord(record);
  return { message: `${image} was left out: it belongs to no image that is loaded`, image };
}

function referrerWarning(record: ImageRecord, outcome: string): Omit<Warning, 'code'> {
  const { digest } = record.descriptor;
  return { message: `${digest} refers to ${subjectOf(record)}, which is not here, and ${outcome}`, image: digest };
}
