export { auditLine, type Audit, type AuditRecord } from './audit.js';
export { EngineServer, type ServerOptions, type StopOptions } from './engine-server.js';
export type { ListenAddress, TlsFiles } from './listeners.js';
