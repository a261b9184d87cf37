import type { PlatformState } from '../model/completeness.js';
import type { Digest } from '../model/digest.js';
import type { ImageRecord } from '../model/image-list.js';
import type { PlatformOutcome } from '../model/platform-set.js';
import { formatPlatformFull } from '../model/platform.js';
import { parseReference } from '../model/reference.js';
import { fields, optional, TEXT } from '../model/rules.js';

/** One platform of an image and its state. `missing` is the first digest that is not here. */
export interface PlatformReport {
  /** `os[(os.version)]/arch[/variant]`, or `unknown` for a manifest that names no platform. */
  readonly platform: string;
  readonly digest?: Digest;
  readonly state: PlatformState;
  readonly missing?: Digest;
}

/** One image of a save, load or listing. */
export interface ImageReport {
  /** Full name; undefined for an unnamed image. */
  readonly name?: string;
  /** The tag of an image whose archive told no more of its name. */
  readonly tag?: string;
  readonly digest: Digest;
  /** The root that the image was made from, if it is another. */
  readonly sourceDigest?: Digest;
  /** The digest that it speaks of, as its name says, for a signature or the like: it is no image of its own. */
  readonly companionOf?: Digest;
  readonly platforms: readonly PlatformReport[];
}

/** Something that the caller should know, but that did not stop the work. */
export interface Warning {
  readonly code: WarningCode;
  readonly message: string;
  /** The image that it is about, as `labelOf` shows it. */
  readonly image?: string;
  /** The platform of the image that it is about, as in a `PlatformReport`. */
  readonly platform?: string;
}

/** Every warning code. `docs/errors.md` explains them. */
export const WARNING_CODES = [
  'WARN_PLATFORM_MISSING',
  'WARN_REFERRER_MISSING',
  'WARN_REFERRER_DROPPED',
  'WARN_REFERRER_KEPT',
  'WARN_ROOT_DROPPED',
  'WARN_ROOT_UNREAD',
  'WARN_NAME_KEPT',
  'WARN_NAME_DROPPED',
  'WARN_TAG_ONLY',
  'WARN_SCHEMA_VERSION',
  'WARN_MANIFEST_JSON',
  'WARN_ENTRY_IGNORED',
  'WARN_PLATFORM_MISMATCH',
  'WARN_LAYER_UNCHECKED',
  'WARN_DAMAGED',
  'WARN_PLAIN_TAR',
  'WARN_FILE_ENDING',
  'WARN_ALREADY_COMPRESSED',
  'WARN_LAYER_LINK',
  'WARN_UNPACK_SKIPPED',
  'WARN_BUNDLE_COMMAND',
  'WARN_BUNDLE_USER',
  'WARN_INDEX_REWRITTEN',
  'WARN_ROOT_UNSIGNED',
  'WARN_SIGNATURE_DETACHED',
  'WARN_TRUST_UNCHECKED',
  'WARN_POLICY_DENIED',
] as const;

/** A stable code of a warning: one of `WARNING_CODES`. */
export type WarningCode = (typeof WARNING_CODES)[number];

/** The outcome of one platform as a report has it. */
export function platformReportOf({ platform, digest, state, missing }: PlatformOutcome): PlatformReport {
  return {
    platform: platform === undefined ? 'unknown' : formatPlatformFull(platform),
    ...(digest && { digest }),
    state,
    ...(missing && { missing }),
  };
}

const NAMED = fields({ name: optional(TEXT), digest: TEXT });

/** The image's familiar name, or its digest if it has no name. */
export function labelOf(image: { readonly name?: string; readonly digest: string }): string {
  NAMED(image, 'image');
  const { name, digest } = image;
  return name === undefined ? digest : parseReference(name).familiar();
}

/** The label of the image of a record. */
export function labelOfRecord({ name, descriptor: { digest } }: ImageRecord): string {
  return labelOf({ ...(name !== undefined && { name }), digest });
}

/** Whether an image of a listing lacks content of a platform that it lists. */
export function isAnyMissing(images: readonly Pick<ImageReport, 'platforms'>[]): boolean {
  return images.some(({ platforms }) => platforms.some(({ state }) => state === 'missing'));
}
