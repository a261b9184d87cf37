import { LadingError } from '../model/errors.js';
import type { Answer } from './answers.js';
import type { Permission } from './authorizer.js';
import type { Call, Exchange } from './exchange.js';
import { nameOfRepository, type RepositoryName } from './registry-name.js';
import { brokenProtocol, type Asked } from './registry-errors.js';

/** What is to be done in a repository: the words of token scopes. */
export type Actions = 'pull' | 'pull,push' | 'delete,pull';

/** A request within a repository. */
export type RepositoryCall = Omit<Call, 'permission'>;

/** One repository, with the rights that the work in it needs. */
export class Repository {
  readonly exchange: Exchange;
  readonly name: RepositoryName;
  readonly #actions: Actions;
  /** Other repositories whose blobs are to be mounted. */
  readonly #sources: ReadonlySet<string>;
  /** Whether there is another place to ask for the same content. */
  readonly isMirror: boolean = false;

  constructor(exchange: Exchange, name: RepositoryName, actions: Actions, sources: Iterable<string> = []) {
    this.exchange = exchange;
    this.name = name;
    this.#actions = actions;
    this.#sources = new Set(sources);
  }

  /** Tries of one request, and of a body without progress. */
  get attempts(): number {
    return this.exchange.settings.attempts;
  }

  /** `host/path`. */
  get label(): string {
    return nameOfRepository(this.name);
  }

  /** Repositories of the same registry whose blobs may be mounted. */
  get sources(): readonly string[] {
    return [...this.#sources];
  }

  /** The path of an endpoint, such as `blobs/sha256:…`. */
  path(endpoint: string): string {
    return `/v2/${this.name.path}/${endpoint}`;
  }

  /** `from`: another repository that the request takes a blob from. */
  async send(call: RepositoryCall, from?: string): Promise<Answer> {
    return await this.exchange.send({ ...call, permission: this.#permissionFor(from) });
  }

  async refusalOf(answer: Answer, call: RepositoryCall): Promise<LadingError> {
    return await this.exchange.refusalOf(answer, { ...call, permission: this.#permissionFor() });
  }

  /** The parts of a message about an answer. */
  askedOf(answer: Pick<Answer, 'url'>, { what, method }: Pick<RepositoryCall, 'what' | 'method'>): Asked {
    return { host: this.name.host, what, method, origin: answer.url.origin };
  }

  /** Throws ERR_REDIRECT_REFUSED for an address that the registry may not send us to. */
  checkLead(target: URL, answer: Pick<Answer, 'url'>, call: Pick<RepositoryCall, 'what' | 'method'>): void {
    this.exchange.checkLead(target, answer.url, this.askedOf(answer, call));
  }

  broken(answer: Pick<Answer, 'url'>, call: Pick<RepositoryCall, 'what' | 'method'>, why: string): LadingError {
    return brokenProtocol(this.askedOf(answer, call), why);
  }

  #permissionFor(from?: string): Permission {
    const { host, path } = this.name;
    // The registry itself has one thing to ask for: the list of its repositories.
    const own = path === '' ? 'registry:catalog:*' : `repository:${path}:${this.#actions}`;
    const sources = new Set(from === undefined ? this.#sources : [...this.#sources, from]);
    return { host, path, scopes: [own, ...[...sources].map((source) => `repository:${source}:pull`)] };
  }
}
