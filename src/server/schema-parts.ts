import { STATUS } from './statuses.js';

/*
 * The parts that the schemas of routes share.
 */

/** A text parameter. */
export const text = (description: string): object => ({ type: 'string', description });
/** A parameter that may be repeated. */
export const texts = (description: string): object => ({ type: 'array', items: { type: 'string' }, description });
/** An object that may have more fields than these. */
export const object = (properties: Readonly<Record<string, object>>, description: string): object => ({
  type: 'object',
  description,
  additionalProperties: true,
  properties,
});
/** A list of such items. */
export const listOf = (items: object, description: string): object => ({ type: 'array', items, description });

/** A whole number. */
export const integer = { type: 'integer' };
/** Any text. */
export const string = { type: 'string' };
const strings = { type: 'array', items: string };

const FAILURE = {
  ...object({ message: string }, 'What went wrong; the status says which kind of failure it is.'),
  required: ['message'],
};
/** The answers to these kinds of failure, and to every failure of the server itself. */
export const failures = (...kinds: readonly (keyof typeof STATUS)[]): Readonly<Record<string, object>> =>
  Object.fromEntries([...kinds.map((kind) => STATUS[kind]), '5XX'].map((status) => [status, FAILURE]));

/** The path parameter of routes that are about one image. */
export const NAME = {
  type: 'object',
  required: ['name'],
  properties: {
    name: text('An image name (slashes encoded or not), an id, a digest, or the beginning of an id or digest.'),
  },
};
/** How a platform is written. */
export const PLATFORM = 'a JSON object as in the OCI image index: {"os":"linux","architecture":"arm","variant":"v7"}';
/** The repeatable `platform` of save and load. */
export const PLATFORMS = texts(`Platforms, each ${PLATFORM}. From API 1.48 one, from 1.52 any number.`);
/** Lading's own parameter of save and load. */
export const STRICT = text('True: fail if one of the platforms is missing, instead of leaving it out.');
/** The `filters` parameter. */
export const FILTERS = text('JSON, {"name":{"value":true}} or {"name":["value"]}.');
/** The query of a route. */
export const query = (properties: Readonly<Record<string, object>>): object => ({ type: 'object', properties });

/** The header of credentials for a registry. */
export const REGISTRY_AUTH = {
  type: 'object',
  properties: { 'x-registry-auth': text('base64url of a JSON object with username and password, or a token.') },
};

/** What a manifest or index says of content. */
export const DESCRIPTOR = object(
  { mediaType: string, digest: string, size: integer, platform: { type: 'object' } },
  'OCI content descriptor.',
);
const MANIFESTS = listOf(
  {
    type: 'object',
    required: ['ID', 'Descriptor', 'Available', 'Size', 'Kind'],
    properties: {
      ID: string,
      Descriptor: DESCRIPTOR,
      Available: { type: 'boolean' },
      Size: { type: 'object', required: ['Content', 'Total'], properties: { Content: integer, Total: integer } },
      Kind: { type: 'string', enum: ['image', 'attestation', 'unknown'] },
      ImageData: object(
        { Platform: { type: 'object' }, Containers: strings, Size: { type: 'object' } },
        'For an image.',
      ),
      AttestationData: object({ For: string }, 'For an attestation: the digest of the manifest that it describes.'),
    },
  },
  'Every manifest of the image, whether its content is here or not.',
);
/** One image of a listing. */
export const SUMMARY = {
  type: 'object',
  required: ['Id', 'ParentId', 'RepoTags', 'RepoDigests', 'Created', 'Size', 'SharedSize', 'Labels', 'Containers'],
  properties: {
    Id: string,
    ParentId: string,
    RepoTags: strings,
    RepoDigests: strings,
    Created: integer,
    Size: integer,
    VirtualSize: integer,
    SharedSize: integer,
    Labels: { type: 'object', additionalProperties: true },
    Containers: integer,
    Descriptor: DESCRIPTOR,
    Manifests: MANIFESTS,
  },
};
/** The answer to a removal. */
export const REMOVALS = listOf(object({ Untagged: string, Deleted: string }, 'One of the two.'), 'What was removed.');
/** A body of one of these media types. */
export const contentOf = (types: readonly string[], schema: object): object => ({
  content: Object.fromEntries(types.map((type) => [type, { schema }])),
});
/** The bytes of an archive. */
export const BYTES = { type: 'string', format: 'binary' };
/** A body of plain text. */
export const PLAIN = contentOf(['text/plain'], string);
const ARCHIVE = {
  description: 'A tar archive: OCI layout with a manifest.json beside it.',
  headers: {
    ETag: text('Digest of the archive.'),
    'Lading-Missing-Platforms': text('Wanted platforms that are not in the archive.'),
  },
  ...contentOf(['application/x-tar'], BYTES),
};

/** The parameters that both routes of save have. */
export const SAVE_QUERY = { platform: PLATFORMS, strict: STRICT };
/** The answers of both routes. */
export const SAVE_ANSWERS = {
  [STATUS.ok]: ARCHIVE,
  [STATUS.partialContent]: ARCHIVE,
  [STATUS.rangeNotSatisfiable]: { description: 'The range begins behind the end of the archive.', type: 'null' },
  [STATUS.notModified]: { description: 'The client has this archive already.', type: 'null' },
  ...failures('badRequest', 'notFound'),
};

/** One image in detail. */
export const INSPECTED = {
  ...object(
    {
      Id: string,
      RepoTags: strings,
      RepoDigests: strings,
      Created: string,
      Config: { type: 'object', additionalProperties: true },
      Architecture: string,
      Variant: string,
      Os: string,
      OsVersion: string,
      Size: integer,
      VirtualSize: integer,
      RootFS: object({ Type: string, Layers: strings }, 'The digests of its unpacked layers.'),
      Descriptor: DESCRIPTOR,
      Manifests: MANIFESTS,
    },
    'The image for the requested platform, or for the one that suits the host.',
  ),
  required: ['Id', 'RepoTags', 'RepoDigests', 'Config', 'Architecture', 'Os', 'Size', 'RootFS'],
};
