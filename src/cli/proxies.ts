import { BlockList, isIP } from 'node:net';
import { LadingError } from '../model/errors.js';
import { isLoopbackHost } from '../registry/registry-name.js';

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The proxy for each address, as the environment has it and as curl and Go read it: `http_proxy` is for http alone,
 * `all_proxy` for what has no variable of its own, names in lower case come first. What `no_proxy` names and this
 * computer are asked directly. The function throws ERR_OPTION_INVALID for a proxy of another kind than http and https.
 */
export function proxiesOf(env: Environment): (url: URL) => URL | undefined {
  const all = valueOf(env, 'all_proxy');
  const proxies = { 'https:': valueOf(env, 'https_proxy') ?? all, 'http:': valueOf(env, 'http_proxy') ?? all };
  const isExcepted = exceptionsIn(valueOf(env, 'no_proxy') ?? '');
  return (url) => {
    const text = proxies[url.protocol as keyof typeof proxies];
    return text === undefined || isLoopbackHost(url.host) || isExcepted(url) ? undefined : parseProxy(text);
  };
}

function valueOf(env: Environment, name: string): string | undefined {
  return env[name] || env[name.toUpperCase()] || undefined;
}

function parseProxy(text: string): URL {
  const full = text.includes('://') ? text : `http://${text}`;
  const proxy = URL.canParse(full) ? new URL(full) : undefined;
  if (proxy !== undefined && /^https?:$/.test(proxy.protocol)) return proxy;
  // The value may have a password in it.
  throw new LadingError('ERR_OPTION_INVALID', 'the environment names a proxy that is no http:// or https:// address');
}

/** Whether a list such as `localhost,.example.com,registry:5000,10.0.0.0/8` has the host of an address. */
function exceptionsIn(list: string): (url: URL) => boolean {
  const entries = list
    .toLowerCase()
    .split(/[\s,]+/)
    .filter((entry) => entry !== '');
  return ({ hostname, port, protocol }) => {
    const name = hostname.replaceAll(/^\[|\]$/g, '');
    const full = `${hostname}:${port === '' ? (protocol === 'https:' ? 443 : 80) : port}`;
    return entries.some((entry) => entry === '*' || entry === full || matches(entry, name));
  };
}

function matches(entry: string, name: string): boolean {
  const family = isIP(name);
  if (family === 0) {
    const bare = entry.replace(/^\*?\./, '');
    return name === bare || name.endsWith(`.${bare}`);
  }
  const [, address = '', prefix] = /^\[?([\da-f.:]+)\]?(?:\/(\d{1,3}))?$/.exec(entry) ?? [];
  if (isIP(address) !== family) return false;
  const kind = family === 4 ? 'ipv4' : 'ipv6';
  const list = new BlockList();
  const bits = family === 4 ? 32 : 128;
  list.addSubnet(address, Math.min(Number(prefix ?? bits), bits), kind);
  return list.check(name, kind);
}
