export { auditLine, type Audit, type AuditRecord } from './audit.js';
export type { Decision } from './decisions.js';
export { EngineServer, type ServerOptions, type StopOptions } from './engine-server.js';
export type { ListenAddress, TlsFiles } from './listeners.js';
export type { RegistryAccess } from './registry-options.js';
export type { Credentials, FindCredentials, RegistrySettings } from '../registry/settings.js';
export type { Mirror, MirrorPlace, Mirrors } from '../registry/mirrors.js';
export type { RepositoryName } from '../registry/registry-name.js';
export type { TlsSettings } from '../registry/http-client.js';
