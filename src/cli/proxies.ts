import { LadingError } from '../model/errors.js';
import { isLoopbackHost } from '../registry/registry-name.js';

/**
 * Refuses a host that the environment wants reached through a proxy: proxies are not supported yet, and a direct
 * connection is not what was asked for. Throws ERR_OPTION_INVALID.
 */
export function checkProxy(host: string, env: Readonly<Record<string, string | undefined>>): void {
  const proxy = env['https_proxy'] || env['HTTPS_PROXY'];
  if (!proxy || isLoopbackHost(host) || isExcepted(host, env['no_proxy'] || env['NO_PROXY'] || '')) return;
  const name = host.replace(/:\d+$/, '');
  const message = `https_proxy is set, and lading cannot use proxies yet; to connect to ${host} directly, add ${name} to no_proxy`;
  throw new LadingError('ERR_OPTION_INVALID', message);
}

/** Whether a list like `localhost,.example.com,registry:5000` has the host, or a domain that it is in. */
function isExcepted(host: string, list: string): boolean {
  const name = host.replace(/:\d+$/, '');
  return list
    .toLowerCase()
    .split(/[\s,]+/)
    .filter((entry) => entry !== '')
    .some((entry) => {
      const bare = entry.replace(/^\*?\./, '');
      return entry === '*' || entry === host || name === bare || name.endsWith(`.${bare}`);
    });
}
