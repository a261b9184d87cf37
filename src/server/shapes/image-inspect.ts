import { diffIdsOf, type ImageDescription, type ManifestDescription } from '../../index.js';
import { engineTime } from '../times.js';
import { namesOf } from './image-summary.js';
import { bytesOf, manifestSummaryOf } from './manifest-summary.js';

/** Which manifest of an image is shown, and how. */
export interface InspectShape {
  readonly minor: number;
  /** The manifest whose config is shown; undefined where none is complete. */
  readonly shown: ManifestDescription | undefined;
  /** Whether the request names a platform: then the answer has the manifest's id and descriptor. */
  readonly isByPlatform: boolean;
  readonly withManifests: boolean;
}

/** Go's zero time, which stands for "never". */
const NEVER = '0001-01-01T00:00:00Z';

/** `GET /images/{name}/json` in the shape of this API version. */
export function imageInspectOf(image: ImageDescription, shape: InspectShape): object {
  const { minor, shown, isByPlatform, withManifests } = shape;
  const { config, descriptor } = shown ?? {};
  const facts: Readonly<Record<string, unknown>> = { ...config };
  const size = bytesOf(shown?.present ?? new Map());
  return {
    Id: isByPlatform ? descriptor?.digest : image.descriptor.digest,
    ...namesOf(image, image.names, Math.max(minor, 43)),
    ...oldFields(facts, minor),
    ...createdOf(config?.created, minor),
    Config: configOf(config?.config, minor),
    Architecture: config?.architecture ?? '',
    ...(config?.variant && { Variant: config.variant }),
    Os: config?.os ?? '',
    ...(config?.['os.version'] && { OsVersion: config['os.version'] }),
    Size: size,
    ...(minor < 44 && { VirtualSize: size }),
    ...(minor < 52 && { GraphDriver: { Name: 'lading', Data: null } }),
    RootFS: { Type: 'layers', Layers: config === undefined ? [] : diffIdsOf(config) },
    Metadata: { LastTagTime: NEVER },
    ...(minor >= 48 && { Descriptor: isByPlatform ? descriptor : image.descriptor }),
    ...(withManifests && { Manifests: image.manifests.map(manifestSummaryOf) }),
  };
}

/** Fields that are always there below API 1.52, and from there only if the image has a value. */
function oldFields(facts: Readonly<Record<string, unknown>>, minor: number): object {
  const old = {
    Parent: '',
    Comment: lastComment(facts['history']),
    DockerVersion: facts['docker_version'] ?? '',
    Author: facts['author'] ?? '',
  };
  const shown = minor < 52 ? old : Object.fromEntries(Object.entries(old).filter(([, text]) => text !== ''));
  return {
    ...shown,
    ...(minor < 45 && { Container: facts['container'] ?? '', ContainerConfig: EMPTY_CONFIG }),
  };
}

function createdOf(created: string | undefined, minor: number): { readonly Created?: string } {
  if (created) return { Created: engineTime(created) };
  return minor < 44 ? { Created: NEVER } : {};
}

function lastComment(history: unknown): string {
  const last: unknown = Array.isArray(history) ? history.at(-1) : undefined;
  const comment = typeof last === 'object' && last !== null && 'comment' in last ? last.comment : '';
  return typeof comment === 'string' ? comment : '';
}

/** Below API 1.52 some fields are there also if they are empty. From there no empty field is. */
function configOf(config: Readonly<Record<string, unknown>> = {}, minor: number): object {
  if (minor < 50) return { ...EMPTY_CONFIG, ...config };
  if (minor < 52) return { ...EMPTY_FIELDS, ...config };
  return Object.fromEntries(Object.entries(config).filter(([, value]) => !isEmpty(value)));
}

function isEmpty(value: unknown): boolean {
  if (typeof value === 'object' && value !== null) return Object.keys(value).length === 0;
  return value === null || value === '' || value === false;
}

const EMPTY_FIELDS = {
  Cmd: null,
  Entrypoint: null,
  Env: null,
  Labels: null,
  OnBuild: null,
  User: '',
  Volumes: null,
  WorkingDir: '',
};

/** The fields of a container config with Go's zero values, as the Engine showed them below API 1.50. */
const EMPTY_CONFIG = {
  Hostname: '',
  Domainname: '',
  User: '',
  AttachStdin: false,
  AttachStdout: false,
  AttachStderr: false,
  Tty: false,
  OpenStdin: false,
  StdinOnce: false,
  Env: null,
  Cmd: null,
  Image: '',
  Volumes: null,
  WorkingDir: '',
  Entrypoint: null,
  OnBuild: null,
  Labels: null,
};
