import { STATUS } from './statuses.js';

/*
 * The parameters and answers of every route, for validation and for the OpenAPI document. Every parameter is a text, since
 * the Engine has its own rules of what is true and what a time is.
 */

const text = (description: string): object => ({ type: 'string', description });
const texts = (description: string): object => ({ type: 'array', items: { type: 'string' }, description });
const object = (properties: Readonly<Record<string, object>>, description: string): object => ({
  type: 'object',
  description,
  additionalProperties: true,
  properties,
});
const listOf = (items: object, description: string): object => ({ type: 'array', items, description });

const integer = { type: 'integer' };
const string = { type: 'string' };
const strings = { type: 'array', items: string };

const FAILURE = object({ message: string }, 'What is wrong; the status says of what kind it is.');
const failures = (...kinds: readonly (keyof typeof STATUS)[]): Readonly<Record<string, object>> =>
  Object.fromEntries([...kinds.map((kind) => STATUS[kind]), '5XX'].map((status) => [status, FAILURE]));

const NAME = {
  type: 'object',
  required: ['name'],
  properties: { name: text('Image name, its slashes encoded or not; or an id, a digest, or the beginning of one.') },
};
const PLATFORM = 'a JSON object as in the OCI image index: {"os":"linux","architecture":"arm","variant":"v7"}';
const PLATFORMS = texts(`Platforms, each ${PLATFORM}. From API 1.48 one, from 1.52 any number.`);
const STRICT = text('True: fail if any of the platforms cannot be had, instead of leaving it out.');
const FILTERS = text('JSON, {"name":{"value":true}} or {"name":["value"]}.');
const query = (properties: Readonly<Record<string, object>>): object => ({ type: 'object', properties });

const DESCRIPTOR = object(
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
        'Of an image.',
      ),
      AttestationData: object({ For: string }, 'Of an attestation: the digest that it speaks of.'),
    },
  },
  'Every manifest of the image, here or not.',
);
const SUMMARY = {
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
const REMOVALS = listOf(object({ Untagged: string, Deleted: string }, 'One of the two.'), 'What is gone.');
const ARCHIVE = {
  description: 'A tar archive: OCI layout with a manifest.json beside it.',
  type: 'string',
  format: 'binary',
};

const SAVE_QUERY = { platform: PLATFORMS, strict: STRICT };
const SAVE_ANSWERS = {
  [STATUS.ok]: ARCHIVE,
  [STATUS.notModified]: { description: 'As the client has it.', type: 'null' },
  ...failures('badRequest', 'notFound'),
};

export const LOAD_SCHEMA = {
  summary: 'Load an archive',
  tags: ['archives'],
  consumes: ['application/x-tar'],
  querystring: query({ quiet: text('False: progress lines too.'), platform: PLATFORMS, strict: STRICT }),
  response: {
    [STATUS.ok]: {
      description: 'Lines of JSON: stream, or status and progressDetail, or error and errorDetail.',
      type: 'string',
    },
    ...failures('badRequest', 'notFound', 'requestTimeout', 'conflict', 'contentTooLarge', 'unprocessable'),
  },
};
export const SAVE_SCHEMA = {
  summary: 'Save images as one archive',
  tags: ['archives'],
  querystring: query({ names: texts('Image names, ids, or repositories.'), ...SAVE_QUERY }),
  response: SAVE_ANSWERS,
};
export const SAVE_NAMED_SCHEMA = {
  summary: 'Save one image as an archive',
  tags: ['archives'],
  params: NAME,
  querystring: query(SAVE_QUERY),
  response: SAVE_ANSWERS,
};
export const IMAGES_SCHEMA = {
  summary: 'List images',
  tags: ['images'],
  querystring: query({
    all: text('Without meaning here.'),
    digests: text('Without meaning here: digests are always told.'),
    'shared-size': text('Without meaning here.'),
    filters: FILTERS,
    manifests: text('True, from API 1.47: every manifest of each image.'),
  }),
  response: { [STATUS.ok]: listOf(SUMMARY, 'Newest first.'), ...failures('badRequest') },
};
export const INSPECT_SCHEMA = {
  summary: 'Inspect an image',
  tags: ['images'],
  params: NAME,
  querystring: query({
    manifests: text('True, from API 1.48: every manifest.'),
    platform: text(`From API 1.49: ${PLATFORM}. Not together with manifests.`),
  }),
  response: {
    [STATUS.ok]: object(
      { Id: string, RepoTags: strings, RepoDigests: strings, Architecture: string, Os: string, Manifests: MANIFESTS },
      'The image as the host sees it, or the platform that is asked for.',
    ),
    ...failures('badRequest', 'notFound'),
  },
};
export const HISTORY_SCHEMA = {
  summary: 'History of an image',
  tags: ['images'],
  params: NAME,
  querystring: query({ platform: text(`From API 1.48: ${PLATFORM}.`) }),
  response: {
    [STATUS.ok]: listOf(
      object({ Id: string, Created: integer, CreatedBy: string, Size: integer, Comment: string }, 'One step.'),
      'Newest first.',
    ),
    ...failures('badRequest', 'notFound'),
  },
};
export const TAG_SCHEMA = {
  summary: 'Give an image one more name',
  tags: ['images'],
  params: NAME,
  querystring: query({ repo: text('Repository, or a name with its tag.'), tag: text('Tag; default latest.') }),
  response: { [STATUS.created]: { description: 'Done.', type: 'null' }, ...failures('badRequest', 'notFound') },
};
export const REMOVE_SCHEMA = {
  summary: 'Remove a name, an image, or platforms of one',
  tags: ['images'],
  params: NAME,
  querystring: query({
    force: text('True: also an id of several names; needed with platforms.'),
    noprune: text('Without meaning here.'),
    platforms: texts(`From API 1.50: only the content of these platforms, each ${PLATFORM}.`),
  }),
  response: { [STATUS.ok]: REMOVALS, ...failures('badRequest', 'notFound', 'conflict') },
};
export const PRUNE_SCHEMA = {
  summary: 'Remove images without a name',
  tags: ['images'],
  querystring: query({ filters: FILTERS }),
  response: {
    [STATUS.ok]: object({ ImagesDeleted: REMOVALS, SpaceReclaimed: integer }, 'What is gone.'),
    ...failures('badRequest', 'conflict'),
  },
};
export const EVENTS_SCHEMA = {
  summary: 'What happens to images, as it happens',
  tags: ['system'],
  querystring: query({ since: text('Seconds, RFC 3339 or a duration.'), until: text('The same.'), filters: FILTERS }),
  response: {
    [STATUS.ok]: { description: 'One JSON object after another.', type: 'string' },
    ...failures('badRequest'),
  },
};
export const DF_SCHEMA = {
  summary: 'Bytes that images take',
  tags: ['system'],
  querystring: query({ type: texts('image, container, volume, build-cache.'), verbose: text('True: every image.') }),
  response: { [STATUS.ok]: object({}, 'By kind of object; there are only images here.'), ...failures('badRequest') },
};
export const VERSION_SCHEMA = {
  summary: 'Versions',
  tags: ['system'],
  response: {
    [STATUS.ok]: object(
      { Version: string, ApiVersion: string, MinAPIVersion: string, Os: string, Arch: string },
      'Versions.',
    ),
  },
};
export const INFO_SCHEMA = {
  summary: 'About this server',
  tags: ['system'],
  response: { [STATUS.ok]: object({ Images: integer, ServerVersion: string, Driver: string }, 'About this server.') },
};
export const PING_SCHEMA = {
  summary: 'Whether somebody is there, and what API it speaks',
  tags: ['system'],
  response: { [STATUS.ok]: { description: 'OK', type: 'string' } },
};
export const PROBE_SCHEMA = {
  summary: 'For those who watch the server',
  tags: ['operation'],
  response: {
    [STATUS.ok]: { description: 'Well.', type: 'string' },
    [STATUS.unavailable]: { description: 'Not now.', type: 'string' },
  },
};
export const UNSUPPORTED_SCHEMA = { hide: true };
