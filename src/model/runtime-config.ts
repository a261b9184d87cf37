import { posix } from 'node:path';
import type { ImageConfig } from './image-config.js';
import { asFields, asObject, asText, asTexts, invalid, type JsonObject } from './json.js';
import { CAPABILITIES, MASKED_PATHS, mountsFor, READONLY_PATHS } from './runtime-linux.js';
import type { RuntimeUser } from './runtime-user.js';

/** What an image config says about its process (image-spec, "Image Configuration", `config`). */
export interface ImageProcess {
  readonly user: string;
  readonly env: readonly string[];
  /** Entrypoint, then Cmd; empty if the image has neither. */
  readonly args: readonly string[];
  readonly workingDirectory: string;
  readonly stopSignal: string | undefined;
  readonly exposedPorts: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
}

const FIELDS = 'User Env Entrypoint Cmd WorkingDir StopSignal ExposedPorts Labels'.split(' ');

/** The process of an image config. Throws ERR_DOCUMENT_INVALID. */
export function imageProcessOf({ config = {} }: ImageConfig, where: string): ImageProcess {
  const fields = asFields(config, `${where}.config`, FIELDS);
  const at = (field: string): string => `${where}.config.${field}`;
  const texts = (field: string): readonly string[] =>
    fields[field] === undefined ? [] : asTexts(fields[field], at(field)).map((text) => argument(text, at(field)));
  const text = (field: string): string | undefined =>
    fields[field] === undefined ? undefined : argument(asText(fields[field], at(field)), at(field));
  const object = (field: string): JsonObject => asObject(fields[field] ?? {}, at(field));
  const labels = Object.entries(object('Labels')).map(
    ([key, value]) => [key, asText(value, `${at('Labels')}.${key}`)] as const,
  );
  return {
    user: text('User') ?? '',
    env: texts('Env'),
    args: [...texts('Entrypoint'), ...texts('Cmd')],
    workingDirectory: posix.resolve('/', text('WorkingDir') ?? ''),
    stopSignal: text('StopSignal'),
    exposedPorts: Object.keys(object('ExposedPorts')),
    labels: Object.fromEntries(labels),
  };
}

/** The kernel ends such texts at their zero byte. */
function argument(text: string, where: string): string {
  if (text.includes('\0')) throw invalid(where, 'has a zero byte');
  return text;
}

/** Who runs the bundle: root, or a user who is 0:0 in a user namespace of one id. */
export type BundleCaller = 'root' | { readonly uid: number; readonly gid: number };

/** What an image without a command runs. */
export const SHELL: readonly string[] = ['/bin/sh'];

const PATH = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/**
 * The `config.json` of a bundle (runtime-spec 1.0.2), as image-spec, "conversion" says: the same for the same image and
 * caller. Without options of a user it is what the Engine would run.
 */
export function runtimeConfigOf(
  image: ImageConfig,
  asked: ImageProcess,
  { user, caller }: { readonly user: RuntimeUser; readonly caller: BundleCaller },
): JsonObject {
  const isRoot = caller === 'root';
  return {
    ociVersion: '1.0.2',
    process: processOf(asked, user),
    root: { path: 'rootfs', readonly: false },
    hostname: 'lading',
    mounts: mountsFor({ isRoot }),
    annotations: annotationsOf(image, asked),
    linux: {
      ...(caller !== 'root' && { uidMappings: [oneId(caller.uid)], gidMappings: [oneId(caller.gid)] }),
      ...(isRoot && { resources: { devices: [{ allow: false, access: 'rwm' }] } }),
      namespaces: ['pid', 'ipc', 'uts', 'mount', isRoot ? 'network' : 'user'].map((type) => ({ type })),
      maskedPaths: MASKED_PATHS,
      readonlyPaths: READONLY_PATHS,
    },
  };
}

function processOf({ args, env, workingDirectory }: ImageProcess, user: RuntimeUser): JsonObject {
  const active = user.uid === 0 ? CAPABILITIES : [];
  return {
    terminal: false,
    user,
    args: args.length === 0 ? SHELL : args,
    env: env.some((one) => one.startsWith('PATH=')) ? env : [PATH, ...env],
    cwd: workingDirectory,
    capabilities: { bounding: CAPABILITIES, effective: active, inheritable: [], permitted: active, ambient: [] },
    noNewPrivileges: false,
  };
}

function oneId(id: number): JsonObject {
  return { containerID: 0, hostID: id, size: 1 };
}

function annotationsOf(image: ImageConfig, { stopSignal, exposedPorts, labels }: ImageProcess): JsonObject {
  const author = (image as JsonObject)['author'];
  const known: Readonly<Record<string, string | undefined>> = {
    os: image.os,
    architecture: image.architecture,
    variant: image.variant,
    'os.version': image['os.version'],
    // Only a list of texts was checked.
    'os.features': Array.isArray(image['os.features']) ? image['os.features'].join(',') : undefined,
    author: typeof author === 'string' ? author : undefined,
    created: image.created,
    stopSignal,
    exposedPorts: exposedPorts.toSorted().join(','),
  };
  const own = Object.entries(known).flatMap(([key, value]) =>
    value ? [[`org.opencontainers.image.${key}`, value] as const] : [],
  );
  return Object.fromEntries([...own, ...Object.entries(labels)]);
}
