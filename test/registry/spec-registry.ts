import { once } from 'node:events';
import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TestContext } from 'node:test';
import { createHash } from 'node:crypto';

/*
 * A registry in memory that follows distribution-spec 1.1 to the letter, and says where its client does not. Profiles
 * change what real registries do in their own ways.
 */

/** How a registry differs from the strict one. */
export interface Profile {
  /** Whether a push makes its repository (not at ECR). */
  readonly autoCreate?: false;
  /** The status of a PATCH that was taken (201 at ECR). */
  readonly patchStatus?: 201 | 204;
  /** Whether manifests are answered with their digest (not at ECR, nor behind some proxies). */
  readonly digestHeader?: false;
  /** What becomes of a mount: `upload` offers one instead, `refused` is 400. */
  readonly mount?: 'upload' | 'refused';
  /** Whether a tag that has an image keeps it. */
  readonly immutableTags?: true;
  /** Whether uploads in pieces are taken (not at Google Artifact Registry). */
  readonly chunks?: false;
  /** Whether indexes are shown only to those who ask for their type; others get nothing (Docker Hub: one platform). */
  readonly hidesIndexes?: true;
  /** The status of what is not there. */
  readonly unknownStatus?: 403;
  /** Whether `sha256-HEX` as a tag means that digest (GitLab). */
  readonly tagIsDigest?: true;
  /** The status of HEAD of a manifest (Artifactory). */
  readonly headStatus?: 403 | 405;
  /** Entries that lists of tags have beside tags (Nexus, Artifactory). */
  readonly strayTags?: readonly unknown[];
  /** Whether an index may name manifests that are not there. */
  readonly sparse?: true;
  readonly ranges?: false;
  readonly referrers?: true;
  /**
   * Whether every request needs a token of a service that knows no action but pull, push and `*`, and whose challenge
   * names no scope (Quay).
   */
  readonly tokens?: true;
  /** What goes when a tag is deleted: the tag alone, the image with all of its tags, or nothing, though 202 is said. */
  readonly tagDelete?: 'image' | 'nothing';
  /** The least bytes of a piece that is not the last. */
  readonly chunkMin?: number;
}

export const PROFILES = {
  strict: {},
  hub: { hidesIndexes: true },
  ecr: { autoCreate: false, patchStatus: 201, digestHeader: false, mount: 'upload', immutableTags: true },
  gar: { chunks: false, referrers: true },
  ghcr: { unknownStatus: 403 },
  gitlab: { tagIsDigest: true },
  artifactory: { headStatus: 403, digestHeader: false, strayTags: [`sha256:${'a'.repeat(64)}`, null, ''] },
  quay: { tokens: true, referrers: true },
  harbor: { mount: 'refused', referrers: true },
  'sparse-ok': { sparse: true },
  'no-range': { ranges: false },
  'referrers-api': { referrers: true },
  'chunk-min': { chunkMin: 1024 * 1024 },
} as const satisfies Readonly<Record<string, Profile>>;

interface Document {
  readonly bytes: Buffer;
  readonly mediaType: string;
}

interface Upload {
  readonly bytes: Buffer[];
  size: number;
}

class Store {
  readonly blobs = new Map<string, Buffer>();
  readonly manifests = new Map<string, Document>();
  readonly tags = new Map<string, string>();
  readonly uploads = new Map<string, Upload>();
}

interface Fields {
  readonly mediaType?: string;
  readonly artifactType?: string;
  readonly annotations?: object;
  readonly subject?: { readonly digest: string };
  readonly config?: { readonly digest: string; readonly mediaType: string };
  readonly layers?: readonly { readonly digest: string }[];
  readonly manifests?: readonly { readonly digest: string }[];
}

const NAME = '[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*)*';
const ROUTE = new RegExp(`^/v2/(${NAME})/(manifests|blobs/uploads|blobs|tags|referrers)/([^/]*)$`);

/** The registry: where it is, and what its client did that the specification does not allow. */
export class SpecRegistry {
  readonly violations: string[] = [];
  readonly seen: string[] = [];
  readonly #profile: Profile;
  readonly #stores = new Map<string, Store>();
  readonly #server = http.createServer((request, response) => {
    this.#handle(request, response).catch((error: unknown) => response.destroy(error as Error));
  });
  #uploads = 0;

  private constructor(profile: Profile) {
    this.#profile = profile;
  }

  /** Starts a registry, which ends with the test. */
  static async start(t: TestContext, profile: Profile): Promise<SpecRegistry> {
    const registry = new SpecRegistry(profile);
    registry.#server.listen(0, '127.0.0.1');
    await once(registry.#server, 'listening');
    t.after(() => {
      registry.#server.close();
      registry.#server.closeAllConnections();
    });
    return registry;
  }

  get host(): string {
    return `localhost:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Uploads that were begun and neither ended nor cancelled. */
  get openUploads(): number {
    return [...this.#stores.values()].reduce((sum, { uploads }) => sum + uploads.size, 0);
  }

  /** Makes a repository, as its owner would. */
  create(path: string): void {
    this.#stores.set(path, new Store());
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', `http://${this.host}`);
    const method = request.method ?? '';
    this.seen.push(`${method} ${url.pathname}`);
    const body = Buffer.concat((await request.toArray()) as Buffer[]);
    if (!request.complete) return;
    if (this.#profile.tokens === true) {
      if (url.pathname === '/v2/auth') return this.#token(url, response);
      if (!this.#isAllowed(method, url, request.headers.authorization)) return this.#challenge(response);
    }
    if (url.pathname === '/v2/') return void response.end('{}');
    const [, path = '', kind = '', rest = ''] = ROUTE.exec(url.pathname) ?? [];
    if (kind === '') return this.#refuse(response, 404, 'UNSUPPORTED');
    const call = { method, url, headers: request.headers, body, path, rest, response };
    if (kind === 'manifests') return this.#manifest(call);
    if (kind === 'blobs') return this.#blob(call);
    if (kind === 'blobs/uploads') return this.#upload(call);
    return kind === 'tags' ? this.#tags(call) : this.#referrers(call);
  }

  /** A token that has its scopes in it. */
  #token(url: URL, response: ServerResponse): void {
    const scopes = url.searchParams.getAll('scope');
    if (!scopes.every((scope) => TOKEN_SCOPE.test(scope)))
      return this.#refuse(response, 400, 'Unable to decode repository and actions');
    const token = Buffer.from(JSON.stringify(scopes)).toString('base64');
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ token }));
  }

  #isAllowed(method: string, url: URL, authorization = ''): boolean {
    const [, token = ''] = /^Bearer (.+)$/.exec(authorization) ?? [];
    if (token === '') return false;
    const scopes = JSON.parse(Buffer.from(token, 'base64').toString()) as readonly string[];
    const [, path = ''] = ROUTE.exec(url.pathname) ?? [];
    const has = (own: string, action: string): boolean => scopes.some((scope) => allows(scope, own, action));
    const from = url.searchParams.get('from');
    return has(path, actionOf(method, url.pathname)) && (from === null || has(from, 'pull'));
  }

  #challenge(response: ServerResponse): void {
    const challenge = `Bearer realm="http://${this.host}/v2/auth",service="own",scope=""`;
    response.writeHead(401, { 'www-authenticate': challenge, 'content-type': 'application/json' });
    response.end('{"errors":[{"code":"UNAUTHORIZED"}]}');
  }

  #manifest({ method, headers, body, path, rest, response }: Call): void {
    const store = this.#stores.get(path);
    if (method === 'PUT') return this.#putManifest({ store, headers, body, rest, response });
    const digest = this.#digestOf(store, rest);
    const found = digest === undefined ? undefined : store?.manifests.get(digest);
    if (method === 'HEAD' && this.#profile.headStatus) return void response.writeHead(this.#profile.headStatus).end();
    if (digest === undefined || found === undefined || (method !== 'DELETE' && this.#isHidden(headers.accept, found)))
      return this.#refuse(response, this.#profile.unknownStatus ?? 404, 'MANIFEST_UNKNOWN');
    if (method === 'DELETE') {
      if (rest === digest || this.#profile.tagDelete === 'image') deleteImage(store, digest);
      else if (this.#profile.tagDelete === undefined) store?.tags.delete(rest);
      return void response.writeHead(202).end();
    }
    response.writeHead(200, {
      'content-type': found.mediaType,
      'content-length': found.bytes.length,
      ...(this.#profile.digestHeader !== false && { 'docker-content-digest': digest }),
    });
    response.end(method === 'HEAD' ? undefined : found.bytes);
  }

  #digestOf(store: Store | undefined, reference: string): string | undefined {
    if (reference.includes(':')) return reference;
    const [, hex] = /^sha256-([0-9a-f]{64})$/.exec(reference) ?? [];
    if (this.#profile.tagIsDigest === true && hex !== undefined && store?.manifests.has(`sha256:${hex}`) === true)
      return `sha256:${hex}`;
    return store?.tags.get(reference);
  }

  #isHidden(accept = '', { mediaType }: Document): boolean {
    if (this.#profile.hidesIndexes !== true) return false;
    return /index|list/.test(mediaType) && !accept.includes(mediaType);
  }

  #putManifest({
    store,
    headers,
    body,
    rest,
    response,
  }: Omit<Call, 'method' | 'url' | 'path'> & { store: Store | undefined }): void {
    if (store === undefined) return this.#refuse(response, 404, 'NAME_UNKNOWN');
    const digest = sha256(body);
    const fields = JSON.parse(body.toString('utf8')) as Fields;
    const mediaType = headers['content-type'] ?? '';
    if (mediaType === '' || (fields.mediaType !== undefined && fields.mediaType !== mediaType))
      return this.#violate(response, `PUT of ${digest} as ${mediaType}, which says ${fields.mediaType}`);
    if (rest.includes(':') && rest !== digest) return this.#violate(response, `PUT of ${digest} as ${rest}`);
    const lacking = [
      ...(fields.manifests ?? []).filter((one) => this.#profile.sparse !== true && !store.manifests.has(one.digest)),
      ...[...(fields.config ? [fields.config] : []), ...(fields.layers ?? [])].filter(
        (one) => !store.blobs.has(one.digest),
      ),
    ];
    const [first] = lacking;
    if (first !== undefined) return this.#refuse(response, 400, 'MANIFEST_BLOB_UNKNOWN', first.digest);
    const held = store.tags.get(rest);
    if (this.#profile.immutableTags === true && held !== undefined && held !== digest)
      return this.#refuse(response, 409, 'TAG_IMMUTABLE');
    store.manifests.set(digest, { bytes: body, mediaType });
    if (!rest.includes(':')) store.tags.set(rest, digest);
    const subject = this.#profile.referrers === true ? fields.subject?.digest : undefined;
    response.writeHead(201, {
      location: `/v2/manifests/${digest}`,
      ...(this.#profile.digestHeader !== false && { 'docker-content-digest': digest }),
      ...(subject !== undefined && { 'oci-subject': subject }),
    });
    response.end();
  }

  #blob({ method, headers, path, rest, response }: Call): void {
    const blob = this.#stores.get(path)?.blobs.get(rest);
    if (blob === undefined) return this.#refuse(response, this.#profile.unknownStatus ?? 404, 'BLOB_UNKNOWN');
    const [, from] = /^bytes=(\d+)-$/.exec(headers.range ?? '') ?? [];
    const start = from === undefined || this.#profile.ranges === false ? undefined : Number(from);
    if (start !== undefined && start >= blob.length) return this.#refuse(response, 416, 'SIZE_INVALID');
    const part = blob.subarray(start ?? 0);
    const range = `bytes ${start}-${blob.length - 1}/${blob.length}`;
    response.writeHead(start === undefined ? 200 : 206, {
      'content-length': part.length,
      'content-type': 'application/octet-stream',
      ...(start !== undefined && { 'content-range': range }),
    });
    response.end(method === 'HEAD' ? undefined : part);
  }

  #upload(call: Call): void {
    const { method, url, path, rest, response } = call;
    if (this.#stores.get(path) === undefined && this.#profile.autoCreate !== false) this.create(path);
    const store = this.#stores.get(path);
    if (store === undefined) return this.#refuse(response, 404, 'NAME_UNKNOWN');
    if (method === 'POST' && rest === '') return this.#begin(call, store);
    const upload = store.uploads.get(rest);
    if (upload === undefined || url.searchParams.get('_state') !== stateOf(upload))
      return this.#refuse(response, 404, 'BLOB_UPLOAD_UNKNOWN');
    if (method === 'DELETE') {
      store.uploads.delete(rest);
      return void response.writeHead(204).end();
    }
    if (method === 'GET') return this.#accept(204, call, upload);
    return method === 'PATCH' ? this.#append(call, upload) : this.#close(call, store, upload);
  }

  #begin({ url, headers, path, response }: Call, store: Store): void {
    if (headers['content-length'] !== '0') return this.#violate(response, 'POST without Content-Length: 0');
    const [mount, from] = [url.searchParams.get('mount'), url.searchParams.get('from')];
    if (mount !== null && from === null) return this.#violate(response, 'a mount without from');
    if (mount !== null && this.#profile.mount === 'refused') return this.#refuse(response, 400, 'BAD_REQUEST');
    const lent = from === null || mount === null ? undefined : this.#stores.get(from)?.blobs.get(mount);
    if (lent !== undefined && mount !== null && this.#profile.mount === undefined) {
      store.blobs.set(mount, lent);
      return void response.writeHead(201, { location: `/v2/${path}/blobs/${mount}` }).end();
    }
    this.#uploads += 1;
    const upload = { bytes: [], size: 0 };
    store.uploads.set(String(this.#uploads), upload);
    this.#accept(202, { path, rest: String(this.#uploads), response }, upload);
  }

  #append(call: Call, upload: Upload): void {
    const { headers, body, response } = call;
    const { chunkMin = 0, chunks, patchStatus = 202 } = this.#profile;
    if (chunks === false) return this.#refuse(response, 405, 'UNSUPPORTED');
    const range = headers['content-range'];
    if (range !== undefined && range !== `${upload.size}-${upload.size + body.length - 1}`)
      return this.#accept(416, call, upload);
    if (body.length < chunkMin) return this.#violate(response, `a piece of ${body.length} bytes`);
    upload.bytes.push(body);
    upload.size += body.length;
    this.#accept(patchStatus, call, upload);
  }

  #close({ url, headers, body, path, rest, response }: Call, store: Store, upload: Upload): void {
    if (headers['content-length'] === undefined) return this.#violate(response, 'PUT of a blob without Content-Length');
    const bytes = Buffer.concat([...upload.bytes, body]);
    const digest = url.searchParams.get('digest');
    if (digest === null) return this.#violate(response, 'PUT of a blob without digest');
    if (sha256(bytes) !== digest) return this.#violate(response, `PUT of ${sha256(bytes)} as ${digest}`);
    store.uploads.delete(rest);
    store.blobs.set(digest, bytes);
    response.writeHead(201, { location: `/v2/${path}/blobs/${digest}` }).end();
  }

  /** The answer of an upload that goes on: each has a new address, and the old one is no good any more. */
  #accept(status: number, { path, rest, response }: Pick<Call, 'path' | 'rest' | 'response'>, upload: Upload): void {
    const { chunkMin } = this.#profile;
    const location = `/v2/${path}/blobs/uploads/${rest}?_state=${encodeURIComponent(stateOf(upload))}`;
    response.writeHead(status, {
      location,
      range: `0-${Math.max(0, upload.size - 1)}`,
      ...(chunkMin !== undefined && { 'oci-chunk-min-length': chunkMin }),
    });
    response.end();
  }

  #tags({ url, path, response }: Call): void {
    const store = this.#stores.get(path);
    if (store === undefined) return this.#refuse(response, 404, 'NAME_UNKNOWN');
    const [n, last] = [Number(url.searchParams.get('n') ?? 1000), url.searchParams.get('last') ?? ''];
    const all = [...store.tags.keys()].toSorted().filter((tag) => tag > last);
    const page = all.slice(0, Math.min(n, PAGE));
    const next = `</v2/${path}/tags/list?n=${n}&last=${encodeURIComponent(page.at(-1) ?? '')}>; rel="next"`;
    response.writeHead(200, { 'content-type': 'application/json', ...(page.length < all.length && { link: next }) });
    response.end(JSON.stringify({ name: path, tags: [...page, ...(this.#profile.strayTags ?? [])] }));
  }

  #referrers({ path, rest, response }: Call): void {
    if (this.#profile.referrers !== true)
      return void response.writeHead(404, { 'content-type': 'text/plain' }).end('404');
    const manifests = [...(this.#stores.get(path)?.manifests ?? [])].flatMap(([digest, { bytes, mediaType }]) => {
      const fields = JSON.parse(bytes.toString('utf8')) as Fields;
      if (fields.subject?.digest !== rest) return [];
      const artifactType = fields.artifactType ?? fields.config?.mediaType;
      return [{ mediaType, digest, size: bytes.length, artifactType, annotations: fields.annotations }];
    });
    const mediaType = 'application/vnd.oci.image.index.v1+json';
    response
      .writeHead(200, { 'content-type': mediaType })
      .end(JSON.stringify({ schemaVersion: 2, mediaType, manifests }));
  }

  #violate(response: ServerResponse, what: string): void {
    this.violations.push(what);
    this.#refuse(response, 400, 'UNSUPPORTED');
  }

  #refuse(response: ServerResponse, status: number, code: string, detail?: string): void {
    response.writeHead(status, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ errors: [{ code, message: code.toLowerCase(), detail }] }));
  }
}

const TOKEN_SCOPE = new RegExp(`^repository:${NAME}:(?:push|pull|\\*)(?:,(?:push|pull|\\*))*$`);

function allows(scope: string, path: string, action: string): boolean {
  const [, own, actions = ''] = /^repository:(.+):([^:]+)$/.exec(scope) ?? [];
  return own === path && actions.split(',').some((one) => one === action || one === '*');
}

/** Whoever takes an upload back needs no right to delete. */
function actionOf(method: string, path: string): string {
  if (method === 'GET' || method === 'HEAD') return 'pull';
  return method === 'DELETE' && !path.includes('/uploads/') ? '*' : 'push';
}

/** Deletes a manifest, and its tags with it. */
function deleteImage(store: Store | undefined, digest: string): void {
  store?.manifests.delete(digest);
  for (const [tag, own] of store?.tags ?? []) if (own === digest) store?.tags.delete(tag);
}

/** Tags on one page, however many are asked for. */
const PAGE = 2;

interface Call {
  readonly method: string;
  readonly url: URL;
  readonly headers: IncomingMessage['headers'];
  readonly body: Buffer;
  readonly path: string;
  readonly rest: string;
  readonly response: ServerResponse;
}

/** Has characters that a client must leave as they are. */
function stateOf({ size }: Upload): string {
  return `at=${size}/+%3D`;
}

function sha256(bytes: Buffer): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}
