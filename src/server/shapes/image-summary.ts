import { parseReference, type Descriptor, type ImageDescription } from '../../index.js';
import { unixSeconds } from '../times.js';
import { bytesOf, manifestSummaryOf, type ManifestSummary } from './manifest-summary.js';

/** One image of `GET /images/json`. */
export interface ImageSummary {
  readonly Id: string;
  readonly ParentId: '';
  readonly RepoTags: readonly string[];
  readonly RepoDigests: readonly string[];
  /** Seconds since 1970. */
  readonly Created: number;
  /** Bytes of all blobs of the image that are here; below API 1.44 `VirtualSize` too. */
  readonly Size: number;
  readonly VirtualSize?: number;
  /** Not computed. */
  readonly SharedSize: -1;
  readonly Labels: Readonly<Record<string, string>>;
  readonly Containers: number;
  readonly Descriptor?: Descriptor;
  readonly Manifests?: readonly ManifestSummary[];
}

/** What a listing shows of an image: the names that passed its filters, and manifests if requested. */
export interface SummaryOptions {
  readonly minor: number;
  readonly names: readonly string[];
  readonly withManifests: boolean;
}

/** An image as a listing of this API version shows it. */
export function imageSummaryOf(image: ImageDescription, { minor, names, withManifests }: SummaryOptions): ImageSummary {
  const size = bytesOf(image.present);
  return {
    Id: image.descriptor.digest,
    ParentId: '',
    ...namesOf(image, names, minor),
    Created: unixSeconds(image.best?.config?.created),
    Size: size,
    ...(minor < 44 && { VirtualSize: size }),
    SharedSize: -1,
    Labels: labelsOf(image),
    Containers: minor < 51 ? -1 : 0,
    ...(minor >= 48 && { Descriptor: image.descriptor }),
    ...(withManifests && { Manifests: image.manifests.map(manifestSummaryOf) }),
  };
}

/** `RepoTags` and `RepoDigests`; below API 1.43 an image without names has `<none>` in both. */
export function namesOf(
  { descriptor: { digest } }: ImageDescription,
  names: readonly string[],
  minor: number,
): Pick<ImageSummary, 'RepoTags' | 'RepoDigests'> {
  if (names.length === 0 && minor < 43) return { RepoTags: ['<none>:<none>'], RepoDigests: ['<none>@<none>'] };
  const references = names.map(parseReference);
  const tagged = references.filter((reference) => reference.digest === undefined);
  const repositories = references.map((reference) => familiarRepository(reference.familiar()));
  return {
    RepoTags: tagged.map((reference) => reference.familiar()),
    RepoDigests: [...new Set(repositories)].map((repository) => `${repository}@${digest}`),
  };
}

/** The name without tag and digest. */
export function familiarRepository(familiar: string): string {
  return familiar.replace(/@.*$/, '').replace(/:[^:/]*$/, '');
}

/** The labels of the image that the host prefers. Values that are not texts are not labels, and are left out. */
export function labelsOf({ best }: ImageDescription): Readonly<Record<string, string>> {
  const labels: unknown = best?.config?.config?.['Labels'];
  if (typeof labels !== 'object' || labels === null) return {};
  return Object.fromEntries(
    Object.entries(labels).filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
  );
}
