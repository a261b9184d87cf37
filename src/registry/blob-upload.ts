import { setTimeout as wait } from 'node:timers/promises';
import type { Content } from '../model/content.js';
import type { Digest } from '../model/digest.js';
import type { Answer } from './answers.js';
import { linkTarget } from './redirects.js';
import type { Repository, RepositoryCall } from './repository.js';
import { CLOSING_MS } from './settings.js';

/** An upload that has begun: where its next bytes go. */
export interface Upload {
  readonly location: URL;
}

/** The bytes of a request, of a known length. Opened once for each try. */
export interface UploadPart {
  readonly size: number;
  readonly open: () => AsyncIterable<Uint8Array>;
}

/** The requests by which a blob gets into a repository (distribution-spec, "Pushing blobs"). */
export class BlobUploads {
  readonly #repository: Repository;

  constructor(repository: Repository) {
    this.#repository = repository;
  }

  /** The size of a blob that is there; undefined if it is not, or if the registry does not say so. */
  async head(digest: Digest): Promise<{ readonly size: number | undefined } | undefined> {
    const call = this.#call('HEAD', this.#repository.path(`blobs/${digest}`), digest);
    const answer = await this.#repository.send({ ...call, stays: true });
    answer.discard();
    if (answer.status === 401) throw await this.#repository.refusalOf(answer, call);
    // A redirect leads to where the blob is, so it is there; storage may refuse HEAD on an address made for GET.
    if (answer.status >= 300 && answer.status < 400) return { size: undefined };
    if (answer.status !== 200) return undefined;
    const told = answer.headers['content-length'];
    return { size: told === undefined ? undefined : Number(told) };
  }

  /** The size of a blob that the registry redirects to; undefined where the storage behind it answers no HEAD. */
  async sizeBehindRedirect(digest: Digest): Promise<number | undefined> {
    const answer = await this.#repository.send(this.#call('HEAD', this.#repository.path(`blobs/${digest}`), digest));
    answer.discard();
    const told = answer.status === 200 ? answer.headers['content-length'] : undefined;
    return told === undefined ? undefined : Number(told);
  }

  /** Begins an upload. Undefined if the registry says that it has the blob already. */
  async begin(digest: Digest | undefined): Promise<Upload | undefined> {
    return await this.#post('', digest);
  }

  /**
   * Asks the registry to take the blob from another of its repositories. Undefined if it did; else the upload that it
   * offers instead. `refused` if it does neither.
   */
  async mount(digest: Digest, from: string): Promise<Upload | 'refused' | undefined> {
    const query = `?mount=${encodeURIComponent(digest)}&from=${encodeURIComponent(from)}`;
    const call = this.#call('POST', `${this.#repository.path('blobs/uploads/')}${query}`, digest);
    const answer = await this.#repository.send({ ...call, headers: { 'content-length': '0' } }, from);
    if (answer.status !== 201 && answer.status !== 202) {
      answer.discard();
      return 'refused';
    }
    return this.#uploadOf(answer, call);
  }

  /** Sends all that is left of a blob, and closes the upload. */
  async finish(upload: Upload, content: Content, part: UploadPart, isOnly: boolean): Promise<void> {
    const to = withDigest(upload.location, content.digest);
    const call = this.#call('PUT', to, content.digest, part);
    const answer = await this.#repository.send({ ...call, once: true, headersMs: CLOSING_MS });
    if (answer.status === 201) return answer.discard();
    if ([200, 202, 204].includes(answer.status)) {
      answer.discard();
      // Only the blob itself shows what such an answer means.
      if (await this.isHere(content)) return;
      throw this.#repository.broken(
        answer,
        call,
        `it answered ${answer.status} to a whole ${isOnly ? 'blob' : 'last part'}, and does not have the blob`,
      );
    }
    throw await this.#repository.refusalOf(answer, call);
  }

  /** Sends the next bytes of a blob. Returns where the rest goes. */
  async append(upload: Upload, at: number, part: UploadPart): Promise<Upload> {
    const call = this.#call('PATCH', upload.location, undefined, part);
    const range = { 'content-range': `${at}-${at + part.size - 1}` };
    const answer = await this.#repository.send({ ...call, once: true, headers: { ...call.headers, ...range } });
    if (![200, 201, 202, 204].includes(answer.status)) throw await this.#repository.refusalOf(answer, call);
    return this.#uploadOf(answer, call) ?? upload;
  }

  /** How many bytes of an upload the registry has; undefined if it does not know the upload any more. */
  async status(upload: Upload): Promise<{ readonly upload: Upload; readonly received: number } | undefined> {
    const call = this.#call('GET', upload.location, undefined);
    const answer = await this.#repository.send(call);
    answer.discard();
    if (answer.status !== 204 && answer.status !== 202) return undefined;
    const last = /(\d+)$/.exec(answer.headers['range'] ?? '')?.[1];
    // `0-0` may mean one byte or none, so it counts as none.
    const received = last === undefined || last === '0' ? 0 : Number(last) + 1;
    return { upload: answer.headers.location === undefined ? upload : this.#next(answer, call), received };
  }

  /** Gives an upload up. What a registry answers does not matter. */
  async cancel(upload: Upload): Promise<void> {
    const call = { ...this.#call('DELETE', upload.location, undefined), isLast: true };
    const sent = this.#repository.send(call).then(
      (answer) => answer.discard(),
      () => {},
    );
    const timer = new AbortController();
    await Promise.race([sent, wait(CANCEL_MS, undefined, { signal: timer.signal }).catch(() => {})]);
    timer.abort();
  }

  /** Whether the registry has the blob in its size. */
  async isHere({ digest, size }: Content): Promise<boolean> {
    const found = await this.head(digest);
    return found !== undefined && (found.size ?? size) === size;
  }

  async #post(query: string, digest: Digest | undefined): Promise<Upload | undefined> {
    const call = this.#call('POST', `${this.#repository.path('blobs/uploads/')}${query}`, digest);
    const answer = await this.#repository.send({ ...call, headers: { 'content-length': '0' } });
    if (answer.status !== 201 && answer.status !== 202) throw await this.#repository.refusalOf(answer, call);
    return this.#uploadOf(answer, call);
  }

  /** 201 to the begin of an upload means that the blob is there; to a part of it, some registries mean 202. */
  #uploadOf(answer: Answer, call: RepositoryCall): Upload | undefined {
    answer.discard();
    if (answer.status === 201 && call.method === 'POST') return undefined;
    if (answer.headers.location === undefined && call.method === 'PATCH') return undefined;
    return this.#next(answer, call);
  }

  #next(answer: Answer, call: RepositoryCall): Upload {
    const location = linkTarget(answer.headers.location, answer.url, this.#repository.askedOf(answer, call));
    // Another host gets the bytes, and none of the credentials.
    if (location.origin !== answer.url.origin) this.#repository.checkLead(location, answer, call);
    return { location };
  }

  #call(
    method: RepositoryCall['method'],
    to: string | URL,
    digest: Digest | undefined,
    part?: UploadPart,
  ): RepositoryCall {
    const what = `blob ${digest ?? 'of an unknown digest'} to ${this.#repository.label}`;
    if (part === undefined) return { method, to, what };
    const headers = { 'content-type': 'application/octet-stream', 'content-length': String(part.size) };
    return { method, to, what, headers, body: part.open };
  }
}

/** How long the end of a work waits for the cancelling of an upload, in milliseconds. */
const CANCEL_MS = 2000;

/** The query of a Location is the registry's own and stays byte by byte. */
function withDigest(location: URL, digest: Digest): URL {
  const url = new URL(location);
  url.search = `${url.search === '' ? '?' : `${url.search}&`}digest=${encodeURIComponent(digest)}`;
  return url;
}
