import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { makeAuthority, type Authority, type Certificate } from './certificates.js';
import { startServe, type Served } from './serve-command.js';

/** A server that requires certificates, and those of its clients. */
export interface TlsServed extends Served {
  readonly port: number;
  readonly authority: Authority;
  /** A client whose name is `alice`. */
  readonly alice: Certificate;
  /** A client named `mallory`, whose certificate another authority signed. */
  readonly mallory: Certificate;
}

/** Starts a server on a port of loopback, with TLS. Needs `openssl`. */
export async function startTlsServe(t: TestContext): Promise<TlsServed> {
  const folder = await mkdtemp(join(tmpdir(), 'lt-'));
  t.after(async () => await rm(folder, { recursive: true, force: true }));
  const [authority, other] = [await makeAuthority(folder, 'authority'), await makeAuthority(folder, 'other')];
  const { cert, key } = await authority.sign('server', 'DNS:localhost,IP:127.0.0.1');
  const options = ['--tlsverify', '--tlscacert', authority.cert, '--tlscert', cert, '--tlskey', key];
  const served = await startServe(t, { host: 'tcp://127.0.0.1:0', options });
  const port = Number(new URL(served.url).port);
  return { ...served, port, authority, alice: await authority.sign('alice'), mallory: await other.sign('mallory') };
}
