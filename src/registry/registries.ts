import type { Digest } from '../model/digest.js';
import { Exchange } from './exchange.js';
import { HttpClient } from './http-client.js';
import type { RateLimit } from './origin-memory.js';
import { RegistryDestination, type DestinationOptions } from './registry-destination.js';
import type { RepositoryName } from './registry-name.js';
import { RegistrySource, type SourceOptions } from './registry-source.js';
import { Repository, type Actions } from './repository.js';
import type { RegistrySettings } from './settings.js';

/** Registries as this program reaches them: connections, tokens and what was seen of each. `close` at the end. */
export class Registries {
  readonly #exchange: Exchange;

  constructor(settings: RegistrySettings) {
    this.#exchange = new Exchange(new HttpClient(), settings);
  }

  /** Hides what this process knows of secrets. */
  readonly hide = (text: string): string => this.#exchange.redaction.hide(text);

  repository(name: RepositoryName, actions: Actions, sources: Iterable<string> = []): Repository {
    return new Repository(this.#exchange, name, actions, sources);
  }

  /** Reads from mirrors first, unless `mirrors` is `undefined`. */
  source(options: SourceOptions = {}): RegistrySource {
    const { mirrors } = this.#exchange.settings;
    return new RegistrySource((name) => this.repository(name, 'pull'), { ...(mirrors && { mirrors }), ...options });
  }

  /** `sources`: other repositories of the same registry that may have the blobs. */
  destination(name: RepositoryName, options: DestinationOptions, sources: Iterable<string> = []): RegistryDestination {
    return new RegistryDestination(this.repository(name, 'pull,push', sources), options);
  }

  /** What a registry said last of how many requests it still allows. */
  rateOf(host: string): RateLimit | undefined {
    return this.#exchange.memory.rateOf(host);
  }

  /** Says which repository of a registry gets a blob first; others mount it from there. */
  setHome(host: string, digest: Digest, path: string): void {
    this.#exchange.memory.blobs.setHome(host, digest, path);
  }

  /** Asks a registry whether it takes the credentials. Throws ERR_REGISTRY_AUTH. */
  async checkLogin(host: string): Promise<void> {
    const call = { permission: { host, path: '', scopes: [] }, method: 'GET', to: '/v2/', what: 'login' } as const;
    const answer = await this.#exchange.send(call);
    if (answer.status === 200) return answer.discard();
    throw await this.#exchange.refusalOf(answer, call);
  }

  close(): void {
    this.#exchange.close();
  }
}
